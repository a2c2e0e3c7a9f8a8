package inspect

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// A Config is what the page gets when it begins.
type Config struct {
	// URL is that of the WebSocket, relative to the page.
	URL string `json:"url"`

	// Target names the server that is inspected, without secrets.
	Target string `json:"target"`

	// Connections says whether the page may ask for the server's connections.
	Connections bool `json:"connections"`

	// Token says whether the page has a field for a token.
	Token bool `json:"token"`

	// Resume says whether a session may outlive its socket.
	Resume bool `json:"resume"`
}

// A Site serves the page, and what the page asks for, at the root of its URL.
type Site struct {
	Config Config

	// Hosts are the names by which the site may be reached, beside those of the loopback
	// interface.
	Hosts []string

	// Connections returns what the page shows of the server's connections; nil for none.
	Connections func() any

	// Socket serves the page's WebSocket at "/socket"; nil if that is elsewhere.
	Socket http.Handler
}

// ServeHTTP implements http.Handler. It only reads: what the page does to the server, it
// does through its WebSocket.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := s.check(r); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "the inspector answers GET", http.StatusMethodNotAllowed)
		return
	}
	switch {
	case r.URL.Path == "/":
		s.servePage(w, r.Host)
	case r.URL.Path == "/config":
		serveJSON(w, s.Config)
	case r.URL.Path == "/connections" && s.Connections != nil:
		serveJSON(w, s.Connections())
	case r.URL.Path == "/socket" && s.Socket != nil:
		s.Socket.ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

// check refuses requests of pages of other origins, and those for names that a foreign
// page may have led here (DNS rebinding).
func (s *Site) check(r *http.Request) error {
	name, ok := hostname(r.Host)
	if !ok || !isLoopback(name) && !slices.ContainsFunc(s.Hosts, func(h string) bool { return strings.EqualFold(h, name) }) {
		return fmt.Errorf("the inspector does not serve the host %.100q: see inspector.Options.Hosts", r.Host)
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		if u, err := url.Parse(origin); err != nil || !strings.EqualFold(u.Host, r.Host) {
			return fmt.Errorf("the inspector does not serve pages of the origin %.100q", origin)
		}
	}
	switch from := r.Header.Get("Sec-Fetch-Site"); from {
	case "", "none", "same-origin":
		return nil
	default:
		if r.URL.Path == "/" && r.Header.Get("Sec-Fetch-Dest") == "document" { // any page may link to this one
			return nil
		}
		return fmt.Errorf("the inspector does not serve %.20s pages", from)
	}
}

// hostname returns the name in a Host header, without its port and brackets. It returns
// false for what no browser sends.
func hostname(host string) (string, bool) {
	if host == "" || strings.ContainsAny(host, " ;,'\"") {
		return "", false
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return strings.Trim(host, "[]"), true
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return name, err == nil
}

// isLoopback reports whether a name means this machine, whatever a name server says.
func isLoopback(name string) bool {
	addr, err := netip.ParseAddr(name)
	return strings.EqualFold(name, "localhost") || err == nil && addr.IsLoopback()
}

func (s *Site) servePage(w http.ResponseWriter, host string) {
	other := ""
	if u, err := url.Parse(s.Config.URL); err == nil && u.Host != "" {
		other = " ws://" + u.Host + " wss://" + u.Host
	}
	h := w.Header()
	secure(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy(host, other))
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	fmt.Fprint(w, page)
}

func serveJSON(w http.ResponseWriter, v any) {
	secure(w.Header())
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the reader may have gone
}

// secure sets the headers that each answer has.
func secure(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}
