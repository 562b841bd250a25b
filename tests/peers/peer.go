// A FastCGI server with Go's net/http/fcgi, for the tests of the nginx module:
//
//	peer-go SOCKET
//
// It listens on the unix socket and prints "ready".  Every request runs by
// itself, any number of them on a connection.
//
// By the last component of the path:
//
//	/delay             "done"
//	/bytes?n=N         N bytes, in lines that are all different (lib.sh's
//	                   bytes())
//	/slowbytes?n=N&ms=M  likewise, in pieces of 1000 bytes, M ms between them
//	/echo              its body, while it reads
//	/upload            the SHA-256 of its body, and how long it was
//	/env               what it was told of the request
//	/stats             connections accepted so far, and requests at work
//
// All but /slowbytes wait for ?ms=M first.
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"os"
	"path"
	"sort"
	"strconv"
	"sync/atomic"
	"time"
)

var accepted, working int64

// counter counts the connections that its listener accepts.
type counter struct{ net.Listener }

func (c counter) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		atomic.AddInt64(&accepted, 1)
	}
	return conn, err
}

func number(r *http.Request, name string) int {
	n, _ := strconv.Atoi(r.URL.Query().Get(name))
	return n
}

// body writes n bytes, and pauses after each piece.
func body(w http.ResponseWriter, n, piece int, pause time.Duration) {
	buf := make([]byte, 0, piece+8)
	for line := 0; n > 0; {
		for len(buf) < piece {
			buf = append(buf, fmt.Sprintf("%07d\n", line)...)
			line++
		}
		k := min(n, piece)
		if _, err := w.Write(buf[:k]); err != nil {
			return
		}
		n -= k
		buf = append(buf[:0], buf[k:]...)
		if pause > 0 {
			w.(http.Flusher).Flush()
			time.Sleep(pause)
		}
	}
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func echo(w http.ResponseWriter, r *http.Request) {
	buf := make([]byte, 16384)
	for {
		n, err := r.Body.Read(buf)
		if n > 0 {
			if _, err := w.Write(buf[:n]); err != nil {
				return
			}
			w.(http.Flusher).Flush()
		}
		if err != nil {
			return
		}
	}
}

func env(w http.ResponseWriter, r *http.Request) {
	vars := []string{
		"REQUEST_METHOD=" + r.Method,
		"REQUEST_URI=" + r.URL.RequestURI(),
		"QUERY_STRING=" + r.URL.RawQuery,
		"CONTENT_LENGTH=" + strconv.FormatInt(r.ContentLength, 10),
	}
	for name, value := range fcgi.ProcessEnv(r) {
		vars = append(vars, name+"="+value)
	}
	sort.Strings(vars)
	for _, v := range vars {
		fmt.Fprintln(w, v)
	}
}

func serve(w http.ResponseWriter, r *http.Request) {
	atomic.AddInt64(&working, 1)
	defer atomic.AddInt64(&working, -1)
	w.Header().Set("Content-Type", "text/plain")
	w.Header().Set("X-Test", "yes")
	ms := time.Duration(number(r, "ms")) * time.Millisecond
	if path.Base(r.URL.Path) != "slowbytes" {
		time.Sleep(ms)
	}
	switch "/" + path.Base(r.URL.Path) {
	case "/delay":
		fmt.Fprintln(w, "done")
	case "/bytes":
		body(w, number(r, "n"), 32768, 0)
	case "/slowbytes":
		body(w, number(r, "n"), 1000, ms)
	case "/echo":
		echo(w, r)
	case "/upload":
		sum := sha256.New()
		n, err := io.Copy(sum, r.Body)
		if err != nil {
			fmt.Fprintln(w, "body:", err)
			return
		}
		fmt.Fprintf(w, "%x %d\n", sum.Sum(nil), n)
	case "/stats":
		fmt.Fprintln(w, atomic.LoadInt64(&accepted),
			atomic.LoadInt64(&working)-1)
	default:
		env(w, r)
	}
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: peer-go socket")
		os.Exit(1)
	}
	_ = os.Remove(os.Args[1])
	listener, err := net.Listen("unix", os.Args[1])
	if err == nil {
		fmt.Println("ready")
		err = fcgi.Serve(counter{listener}, http.HandlerFunc(serve))
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
