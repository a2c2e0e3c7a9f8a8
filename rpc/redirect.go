package rpc

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/wirecall/wirecall/internal/session"
)

// A server may answer hello or resume with the URL of another server, which the client
// dials in its place. Each attempt to connect begins at the URL given to Dial, and ends
// there without redirects if they lead nowhere: the first server forwards the client.

// maxRedirects is how many redirects an attempt follows.
const maxRedirects = 3

// A route is where an attempt to connect leads.
type route struct {
	dialer   *dialer
	url      *url.URL // of the server to dial
	direct   bool     // that server must not redirect the client
	followed int      // redirects
}

// next goes on after the server at url has failed with err. It returns false if there is
// no other to dial.
func (r *route) next(err error) bool {
	redirect, ok := err.(*session.Redirect)
	if !ok && r.url == r.dialer.url {
		return false
	}
	if ok && r.followed < maxRedirects {
		to, err := r.dialer.follow(redirect.At)
		if err == nil {
			r.url = to
			r.followed++
			return true
		}
		r.dialer.config.Log.Warn("a redirect is not followed", "error", err)
	}
	r.url, r.direct = r.dialer.url, true
	return true
}

// follow returns the URL to dial after a redirect, with the userinfo and the query of
// the URL given to Dial, or an error if the redirect is not followed.
func (d *dialer) follow(at string) (*url.URL, error) {
	u, err := url.Parse(at)
	switch {
	case err != nil:
		return nil, errors.New("its URL cannot be parsed")
	case u.Scheme != "wss" && (u.Scheme != "ws" || d.url.Scheme == "wss" || d.url.Scheme == "https"):
		return nil, fmt.Errorf("its scheme is %.20q: a connection with TLS needs wss, another ws or wss", u.Scheme)
	case !isBelow(u.Hostname(), d.url.Hostname()) && (d.opts.Redirect == nil || !d.opts.Redirect(u)):
		return nil, fmt.Errorf("its host is %.100q: want that of the connection, a name below it, or one that DialOptions.Redirect accepts", u.Host)
	}
	u.User = d.url.User
	if u.RawQuery == "" {
		u.RawQuery = d.url.RawQuery
	}
	return u, nil
}

// isBelow reports whether a host is the dialed one, or a name below its name.
func isBelow(host, dialed string) bool {
	host, dialed = strings.ToLower(host), strings.ToLower(dialed)
	return host == dialed || net.ParseIP(dialed) == nil && strings.HasSuffix(host, "."+dialed)
}
