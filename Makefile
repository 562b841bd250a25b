# afcgi: asynchronous FastCGI.  `make help' says what there is to make.
# For GNU make and bmake.  Everything that is made goes to $(B).

B = build
PREFIX = /usr/local
DESTDIR =
MANDIR = $(PREFIX)/share/man
UNITDIR = $(PREFIX)/lib/systemd/system
EXAMPLES = $(PREFIX)/share/doc/afcgi
# Debian's places for modules of nginx.
NGINX_MODULES = /usr/lib/nginx/modules
NGINX_AVAILABLE = /usr/share/nginx/modules-available
NGINX_ENABLED = /etc/nginx/modules-enabled
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

# The FastCGI server, behind gateway/handler.h; nothing about CGI is in it.
FASTCGI = gateway/clock.c gateway/conn.c gateway/conn_clock.c \
	gateway/conn_drain.c gateway/daemon.c gateway/handler.c \
	gateway/input.c gateway/limit.c gateway/listener.c gateway/log.c \
	gateway/output.c gateway/outq.c gateway/page.c gateway/params.c \
	gateway/pool.c gateway/pulse.c gateway/reader.c gateway/records.c \
	gateway/request.c gateway/server.c gateway/socket.c gateway/spool.c \
	gateway/window.c
# What runs CGI scripts; with the above and main.c it is afcgi.
CGI = gateway/cgi.c gateway/cgi_limit.c gateway/child.c gateway/children.c \
	gateway/chunked.c gateway/env.c gateway/handover.c gateway/options.c \
	gateway/pace.c gateway/response.c gateway/run.c gateway/run_clock.c \
	gateway/run_err.c gateway/run_in.c gateway/run_out.c gateway/script.c \
	gateway/spawner.c gateway/trees.c gateway/uri.c
HEADERS = gateway/*.h
ARCHIVES = $(B)/libafcgi.a $(B)/libfastcgi.a
ASYNC = contrib/async-server/async.c contrib/async-server/bytes.c \
	contrib/async-server/chat.c contrib/async-server/delay.c \
	contrib/async-server/echo.c contrib/async-server/stream.c \
	contrib/async-server/task.c contrib/async-server/ticker.c \
	contrib/async-server/upload.c
MODULE = ngx_http_upstream_fastcgi_multiplex_module.so

all: $(B)/afcgi $(B)/fcgi-async

help:
	@echo 'make            build $(B)/afcgi, and the sample $(B)/fcgi-async'
	@echo 'make nginx      build $(B)/$(MODULE)'
	@echo '                for Debian'"'"'s nginx, or for the one whose source'
	@echo '                tree is NGINX_SRC'
	@echo 'make demo       install what is missing, build, and serve CGI'
	@echo '                scripts, gitweb, git and a chat through nginx; PORT=8888;'
	@echo '                MULTIPLEX=no leaves the module out'
	@echo 'make check      install what is missing, build, run all tests'
	@echo 'make lint       check the form of everything'
	@echo 'make sanitize   run the tests with ASan and UBSan, then TSan'
	@echo 'make sanitize-nginx  run the tests of the module in an nginx that'
	@echo '                was built with ASan and UBSan'
	@echo 'make valgrind   run the tests under valgrind'
	@echo 'make bench      measure against other gateways; PEERS=, MEASURES=,'
	@echo '                ROUNDS=, FULL=yes'
	@echo 'make profile    find the hot spots; LOAD=hello, delay, download,'
	@echo '                upload, echo or drips; WHO=gateway, worker or both'
	@echo 'make instructions  renew what instructions_test compares with'
	@echo 'make install    to $$DESTDIR$$PREFIX; make uninstall'
	@echo 'make deps       install what building needs (apt)'
	@echo 'make clean      remove what was built'

# Makes an archive of $$sources, all anew.
ARCHIVE = mkdir -p $@.objects && rm -f $@ $@.objects/*.o && \
	for source in $$sources; do \
		object=$${source\#\#*/}; \
		$(COMPILE) -c $$source -o $@.objects/$${object%.c}.o || exit 1; \
	done && $(AR) rc $@ $@.objects/*.o

$(B)/libfastcgi.a: $(FASTCGI) $(HEADERS)
	sources='$(FASTCGI)'; $(ARCHIVE)

$(B)/libafcgi.a: $(CGI) $(HEADERS)
	sources='$(CGI)'; $(ARCHIVE)

$(B)/afcgi: gateway/main.c $(ARCHIVES)
	$(COMPILE) gateway/main.c $(ARCHIVES) -o $@ $(LIBS)

# A sample of another handler: FastCGI without CGI.
$(B)/fcgi-async: $(ASYNC) contrib/async-server/*.h $(B)/libfastcgi.a
	$(COMPILE) -Igateway $(ASYNC) $(B)/libfastcgi.a -o $@ $(LIBS)

# The script knows what has changed.
nginx:
	CC='$(CC)' sh nginx/build.sh $(B)

# Programs and scripts go where Kyua finds them, with what they need.  Without
# the headers of nginx the tests of the module are skipped.
tests: all $(B)/tests/fcgi-client peers
	CC='$(CC)' sh nginx/build.sh $(B) || test $$? -eq 3
	for source in tests/*_test.c; do \
		program=$(B)/$${source%.c}; \
		parts="$$source tests/unit*.h $(ARCHIVES)"; \
		test -f $$program && \
		    test -z "$$(find $$parts -newer $$program)" && continue; \
		$(COMPILE) $$source $(ARCHIVES) -o $$program \
		    $$(pkg-config --cflags --libs atf-c) $(LIBS) || exit 1; \
	done
	for script in tests/*.sh; do \
		program=$(B)/$${script%.sh}; \
		case $$script in \
		*_test.sh) ;; \
		*) cp $$script $(B)/tests/; continue ;; \
		esac; \
		{ echo '#! /usr/bin/env atf-sh'; cat $$script; } >$$program; \
		chmod +x $$program; \
	done
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

# FastCGI servers that others wrote, as far as what builds them is here.
peers:
	mkdir -p $(B)/tests/peers $(B)/go
	cp tests/peers/* $(B)/tests/peers/
	program=$(B)/tests/peer-go source=tests/peers/peer.go; \
	if command -v go >/dev/null && ! test $$program -nt $$source; then \
		GOCACHE=$$(cd $(B)/go && pwd) GOPATH=$$(cd $(B)/go && pwd) \
		    GO111MODULE=off GOFLAGS= GOPROXY=off \
		    go build -o $$program $$source; \
	fi
	program=$(B)/tests/peer-libfcgi source=tests/peers/peer-libfcgi.c; \
	if echo '#include <fcgiapp.h>' | $(CC) -E - >/dev/null 2>&1 && \
	    ! test $$program -nt $$source; then \
		$(CC) -O2 -D_GNU_SOURCE $(WARNINGS) $$source -o $$program -lfcgi; \
	fi

# MULTIPLEX=no: nginx as it is distributed, and nothing to build modules with.
demo:
	test "$(MULTIPLEX)" = no || sh contrib/deps.sh nginx
	sh contrib/deps.sh demo
	$(MAKE) all
	test "$(MULTIPLEX)" = no || $(MAKE) nginx
	PORT=$(PORT) MULTIPLEX=$(MULTIPLEX) exec sh contrib/demo.sh

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

# The module's tests, in an nginx that is built with sanitizers.
sanitize-nginx:
	sh contrib/deps.sh check sanitize-nginx
	$(MAKE) tests
	sh tests/sanitize-nginx.sh $(B)

lint:
	sh contrib/deps.sh demo check lint
	sh tests/lint.sh $(B)

bench:
	sh contrib/deps.sh bench
	$(MAKE) all nginx
	AFCGI=$$(cd $(B) && pwd)/afcgi sh tests/bench/run.sh

profile:
	sh contrib/deps.sh profile
	$(MAKE) all nginx
	AFCGI=$$(cd $(B) && pwd)/afcgi sh tests/bench/profile.sh

# For this compiler, libc and libevent.
instructions:
	sh contrib/deps.sh check
	$(MAKE) tests
	AFCGI_TOP=$$(pwd) AFCGI_INSTRUCTIONS=renew kyua test \
	    -k $(B)/tests/Kyuafile instructions_test

deps:
	sh contrib/deps.sh build

install: all
	mkdir -p $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(MANDIR)/man7 \
	    $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(UNITDIR) \
	    $(DESTDIR)$(EXAMPLES)/nginx
	install -m 755 $(B)/afcgi $(DESTDIR)$(PREFIX)/sbin/afcgi
	install -m 644 gateway/afcgi.8 $(DESTDIR)$(MANDIR)/man8/afcgi.8
	install -m 644 gateway/fcgi_flow.7 $(DESTDIR)$(MANDIR)/man7/fcgi_flow.7
	for unit in contrib/systemd/afcgi.service contrib/systemd/afcgi.socket; \
	do \
		sed 's|/usr/local/|$(PREFIX)/|g' $$unit \
		    >$(DESTDIR)$(UNITDIR)/$${unit##*/} || exit 1; \
	done
	cp -R LICENSE README contrib $(DESTDIR)$(EXAMPLES)/
	cp -R nginx/conf $(DESTDIR)$(EXAMPLES)/nginx/
	test ! -f $(B)/$(MODULE) || $(MAKE) install-nginx

# Only "make nginx" builds the module, and only what was built is installed.  A
# running nginx keeps the module it has: the file is replaced, not written to.
install-nginx:
	mkdir -p $(DESTDIR)$(NGINX_MODULES) $(DESTDIR)$(NGINX_AVAILABLE) \
	    $(DESTDIR)$(MANDIR)/man5
	install -m 644 $(B)/$(MODULE) $(DESTDIR)$(NGINX_MODULES)/$(MODULE).new
	mv -f $(DESTDIR)$(NGINX_MODULES)/$(MODULE).new \
	    $(DESTDIR)$(NGINX_MODULES)/$(MODULE)
	sed 's|/usr/lib/nginx/modules/|$(NGINX_MODULES)/|' \
	    nginx/mod-fastcgi-multiplex.conf \
	    >$(DESTDIR)$(NGINX_AVAILABLE)/mod-fastcgi-multiplex.conf
	install -m 644 nginx/fastcgi_multiplex.5 \
	    $(DESTDIR)$(MANDIR)/man5/fastcgi_multiplex.5
	@echo 'The module is there; this makes nginx load it, at its next start:'
	@echo '    ln -s $(NGINX_AVAILABLE)/mod-fastcgi-multiplex.conf' \
	    '$(NGINX_ENABLED)/50-mod-fastcgi-multiplex.conf'

# nginx does not start if what it is to load has gone: the link goes first.
uninstall:
	rm -f $(DESTDIR)$(NGINX_ENABLED)/50-mod-fastcgi-multiplex.conf
	rm -f $(DESTDIR)$(NGINX_AVAILABLE)/mod-fastcgi-multiplex.conf \
	    $(DESTDIR)$(NGINX_MODULES)/$(MODULE) \
	    $(DESTDIR)$(MANDIR)/man5/fastcgi_multiplex.5
	rm -f $(DESTDIR)$(PREFIX)/sbin/afcgi \
	    $(DESTDIR)$(MANDIR)/man7/fcgi_flow.7 \
	    $(DESTDIR)$(MANDIR)/man8/afcgi.8 \
	    $(DESTDIR)$(UNITDIR)/afcgi.service \
	    $(DESTDIR)$(UNITDIR)/afcgi.socket
	rm -rf $(DESTDIR)$(EXAMPLES)

clean:
	rm -rf $(B)

.PHONY: all help nginx tests peers demo check sanitize sanitize-nginx \
	valgrind lint bench profile instructions deps install install-nginx \
	uninstall clean
