package rpc

import (
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
)

// preflightAge is how long a browser may cache the response to a preflight request, in
// seconds. Browsers have limits of their own, Chromium two hours.
const preflightAge = "7200"

// allowCORS lets pages of an allowed origin POST with what they may open a WebSocket
// with: cookies, and, since the messages of a WebSocket can carry anything, headers of
// any name.
func allowCORS(h http.Header, r *http.Request, origin string) {
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Credentials", "true")
	h.Add("Vary", "Origin")
	if r.Method != http.MethodOptions {
		return
	}
	h.Set("Access-Control-Allow-Methods", "POST")
	h.Set("Access-Control-Max-Age", preflightAge)
	h.Add("Vary", "Access-Control-Request-Headers")
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
	}
}

// allows reports whether requests with an Origin header (RFC 6454, section 7) are
// served. Only browsers send that header, and pages cannot set it.
func (s *Server) allows(origin, host string) bool {
	if origin == "null" { // a sandboxed frame, among others
		return s.allowsOneOf("", origin)
	}
	u, err := url.Parse(strings.ToLower(origin))
	switch {
	case err != nil:
		return false
	case u.Scheme == "file" && u.Host == "":
		return s.allowsOneOf("", "file://")
	case u.Scheme == "" || u.Host == "":
		return false
	}
	from := canonicalHost(u.Scheme, u.Host)
	return from == canonicalHost(u.Scheme, strings.ToLower(host)) || s.allowsOneOf(u.Scheme, from, u.Scheme+"://"+from)
}

// allowsOneOf reports whether a pattern matches one of the names of an origin. A
// pattern with a scheme matches only a name with one, and a pattern without matches
// only a name without, because no wildcard matches a slash.
func (s *Server) allowsOneOf(scheme string, names ...string) bool {
	for _, pattern := range s.origins {
		if pattern == "*" {
			return true
		}
		for _, name := range names {
			if ok, _ := path.Match(withoutDefaultPort(scheme, pattern), name); ok {
				return true
			}
		}
	}
	return false
}

// originPatterns returns ServerOptions.Origins as patterns for path.Match.
func originPatterns(written []string) []string {
	var patterns []string
	for _, p := range written {
		scheme, host, ok := strings.Cut(strings.ToLower(p), "://")
		if ok {
			patterns = append(patterns, scheme+"://"+literalIPv6(canonicalIPv6(host)))
		} else {
			patterns = append(patterns, literalIPv6(canonicalIPv6(scheme)))
		}
	}
	return patterns
}

// literalIPv6 escapes the brackets around an IPv6 address, which path.Match would read
// as a set of characters.
func literalIPv6(host string) string {
	addr, port, ok := strings.Cut(host, "]")
	if !ok || !strings.HasPrefix(addr, "[") || !strings.Contains(addr, ":") {
		return host
	}
	return `\[` + addr[1:] + `\]` + port
}

// canonicalHost returns a host, with its port if it has one, in the spelling in which
// hosts are compared.
func canonicalHost(scheme, host string) string {
	return withoutDefaultPort(scheme, canonicalIPv6(host))
}

// canonicalIPv6 returns a host with its IPv6 address, if it is one, in the spelling of
// RFC 5952, section 4, in brackets and without a zone, which has no meaning outside the
// client: RFC 6874, section 1.
func canonicalIPv6(host string) string {
	bracket := strings.LastIndexByte(host, ']') + 1
	literal, port := host[:bracket], host[bracket:]
	if bracket == 0 {
		literal, port = host, ""
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(literal, "["), "]"))
	if err != nil || !addr.Is6() {
		return host
	}
	return "[" + addr.WithZone("").String() + "]" + port
}

// withoutDefaultPort removes the port that a scheme implies, as browsers do in Origin
// headers and some clients and proxies do not in Host headers.
func withoutDefaultPort(scheme, host string) string {
	switch scheme {
	case "http":
		return strings.TrimSuffix(host, ":80")
	case "https":
		return strings.TrimSuffix(host, ":443")
	}
	return host
}
