# afcgi: asynchronous FastCGI.  `make help' says what there is to make.
# For GNU make and bmake.  Everything that is made goes to $(B).

B = build
PREFIX = /usr/local
DESTDIR =
MANDIR = $(PREFIX)/share/man
UNITDIR = $(PREFIX)/lib/systemd/system
EXAMPLES = $(PREFIX)/share/doc/afcgi
CC = cc
CFLAGS = -O2 -g
LDFLAGS =
PORT = 8888

ASAN = -fsanitize=address,undefined -fno-sanitize-recover=undefined
TSAN = -fsanitize=thread
WARNINGS = -Wall -Wextra -Wshadow -Wpointer-arith -Wcast-qual \
	-Wstrict-prototypes -Wmissing-prototypes -Wsign-compare \
	-Wwrite-strings -Wundef -Wvla -Wformat=2
LIBRARIES = libbsd-overlay libevent_core
COMPILE = $(CC) -std=c11 -D_GNU_SOURCE $(CFLAGS) $(WARNINGS) -pthread \
	$$(pkg-config --cflags $(LIBRARIES))
LIBS = $(LDFLAGS) -pthread $$(pkg-config --libs $(LIBRARIES)) -lm

# All of gateway/ but main.c.
GATEWAY = gateway/cgi.c gateway/child.c gateway/chunked.c gateway/clock.c \
	gateway/conn.c gateway/conn_clock.c gateway/conn_drain.c \
	gateway/env.c gateway/input.c gateway/limits.c gateway/listener.c \
	gateway/log.c gateway/options.c gateway/output.c gateway/outq.c \
	gateway/page.c gateway/params.c gateway/pool.c gateway/reader.c \
	gateway/records.c gateway/request.c gateway/response.c gateway/run.c \
	gateway/run_clock.c gateway/run_err.c gateway/run_in.c \
	gateway/run_out.c gateway/script.c gateway/server.c gateway/socket.c \
	gateway/spawner.c gateway/spool.c gateway/trees.c gateway/uri.c \
	gateway/window.c
HEADERS = gateway/*.h

all: $(B)/afcgi

help:
	@echo 'make            build $(B)/afcgi'
	@echo 'make demo       install what is missing, build, and serve CGI'
	@echo '                scripts, gitweb and git through nginx; PORT=8888'
	@echo 'make check      install what is missing, build, run all tests'
	@echo 'make lint       check the form of everything'
	@echo 'make sanitize   run the tests with ASan and UBSan, then TSan'
	@echo 'make valgrind   run the tests under valgrind'
	@echo 'make bench      measure against other gateways'
	@echo 'make install    to $$DESTDIR$$PREFIX; make uninstall'
	@echo 'make deps       install what building needs (apt)'
	@echo 'make clean      remove what was built'

$(B)/libafcgi.a: $(GATEWAY) $(HEADERS)
	mkdir -p $(B)/obj
	rm -f $@ $(B)/obj/*.o
	for source in $(GATEWAY); do \
		object=$${source##*/}; \
		$(COMPILE) -c $$source -o $(B)/obj/$${object%.c}.o || exit 1; \
	done
	$(AR) rc $@ $(B)/obj/*.o

$(B)/afcgi: gateway/main.c $(B)/libafcgi.a
	$(COMPILE) gateway/main.c $(B)/libafcgi.a -o $@ $(LIBS)

# Programs and scripts go where Kyua finds them, with what they need.
tests: $(B)/afcgi $(B)/tests/fcgi-client
	for source in tests/*_test.c; do \
		program=$(B)/$${source%.c}; \
		parts="$$source tests/unit*.h $(B)/libafcgi.a"; \
		test -f $$program && \
		    test -z "$$(find $$parts -newer $$program)" && continue; \
		$(COMPILE) $$source $(B)/libafcgi.a -o $$program \
		    $$(pkg-config --cflags --libs atf-c) $(LIBS) || exit 1; \
	done
	for script in tests/*_test.sh; do \
		program=$(B)/$${script%.sh}; \
		{ echo '#! /usr/bin/env atf-sh'; cat $$script; } >$$program; \
		chmod +x $$program; \
	done
	cp tests/lib.sh tests/web.sh $(B)/tests/
	{ \
		echo "syntax(2)"; \
		echo "test_suite('afcgi')"; \
		for source in tests/*_test.*; do \
			name=$${source##*/}; \
			echo "atf_test_program{name='$${name%.*}'}"; \
		done; \
	} >$(B)/tests/Kyuafile

$(B)/tests/fcgi-client: tests/fcgi-client.c tests/client*.[ch] gateway/fcgi.h
	mkdir -p $(B)/tests
	$(COMPILE) tests/fcgi-client.c tests/client_*.c -o $@ $(LIBS)

demo:
	sh contrib/deps.sh demo
	$(MAKE) all
	PORT=$(PORT) exec sh contrib/demo.sh

check:
	sh contrib/deps.sh check
	$(MAKE) tests
	sh tests/check.sh $(B)

# The same suite with other builds of everything, and under valgrind.
sanitize:
	sh contrib/deps.sh check
	$(MAKE) B=$(B)/asan CFLAGS='-O1 -g $(ASAN)' LDFLAGS='$(ASAN)' tests
	sh tests/check.sh $(B)/asan
	$(MAKE) B=$(B)/tsan CFLAGS='-O1 -g $(TSAN)' LDFLAGS='$(TSAN)' tests
	sh tests/check.sh $(B)/tsan

valgrind:
	sh contrib/deps.sh check
	$(MAKE) tests
	AFCGI_VALGRIND=1 sh tests/check.sh $(B)

lint:
	sh contrib/deps.sh demo check lint
	sh tests/lint.sh

bench:
	sh contrib/deps.sh bench
	$(MAKE) all
	for script in sleep1000 drips2000 hello stream kill; do \
		sh tests/bench/$$script.sh || exit 1; \
	done

deps:
	sh contrib/deps.sh build

install: all
	mkdir -p $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(MANDIR)/man8 \
	    $(DESTDIR)$(UNITDIR) $(DESTDIR)$(EXAMPLES)/nginx
	install -m 755 $(B)/afcgi $(DESTDIR)$(PREFIX)/sbin/afcgi
	install -m 644 gateway/afcgi.8 $(DESTDIR)$(MANDIR)/man8/afcgi.8
	for unit in contrib/systemd/afcgi.service contrib/systemd/afcgi.socket; \
	do \
		sed 's|/usr/local/|$(PREFIX)/|g' $$unit \
		    >$(DESTDIR)$(UNITDIR)/$${unit##*/} || exit 1; \
	done
	cp -R LICENSE README contrib $(DESTDIR)$(EXAMPLES)/
	cp -R nginx/conf $(DESTDIR)$(EXAMPLES)/nginx/

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/afcgi \
	    $(DESTDIR)$(MANDIR)/man8/afcgi.8 \
	    $(DESTDIR)$(UNITDIR)/afcgi.service \
	    $(DESTDIR)$(UNITDIR)/afcgi.socket
	rm -rf $(DESTDIR)$(EXAMPLES)

clean:
	rm -rf $(B)

.PHONY: all help tests demo check sanitize valgrind lint bench deps install \
	uninstall clean
