package rpc

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/session"
)

// ourSubprotocols is what the names of wirecall's versions begin with. One that this
// version does not know is never accepted: the peer would speak it.
const ourSubprotocols = "wirecall."

// mostSubprotocol is how long a name of the client's own may be, in bytes. Pages put
// tokens there.
const mostSubprotocol = 8 << 10

func subprotocol(cd codec.Codec) string { return ourSubprotocols + "v1." + cd.Format().Name() }

// isOurs reports whether a name is wirecall's, in whatever case it is written.
func isOurs(name string) bool {
	return len(name) >= len(ourSubprotocols) && strings.EqualFold(name[:len(ourSubprotocols)], ourSubprotocols)
}

// offered returns the subprotocols that a handshake names, in order.
func offered(r *http.Request) []string {
	var names []string
	for _, v := range r.Header["Sec-Websocket-Protocol"] {
		for name := range strings.SplitSeq(v, ",") {
			if name = strings.TrimSpace(name); name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

// selectSubprotocol returns which of the subprotocols that a client offers is used,
// or "", and the codec that goes with it: the first of wirecall's, which begins
// wirecall mode, or else the first of the application's own, in plain mode. Names are
// compared as they are written.
func (s *Server) selectSubprotocol(names []string) (string, codec.Codec, session.Mode) {
	for _, name := range names {
		for _, cd := range s.codecs {
			if name == subprotocol(cd) {
				return name, cd, session.ModeWirecall
			}
		}
	}
	i := slices.IndexFunc(names, func(name string) bool {
		if s.subprotocols == nil {
			return !isOurs(name) && len(name) <= mostSubprotocol
		}
		return slices.Contains(s.subprotocols, name)
	})
	if i < 0 {
		return "", codec.JSON, session.ModePlain
	}
	return names[i], codec.JSON, session.ModePlain
}

func checkSubprotocols(names []string) error {
	for i, name := range names {
		switch {
		case isOurs(name):
			return fmt.Errorf("ServerOptions.Subprotocols[%d] is %q: names that begin with %q are wirecall's, and need not be listed", i, name, ourSubprotocols)
		case name == "" || strings.ContainsFunc(name, notToken):
			return fmt.Errorf("ServerOptions.Subprotocols[%d] is %q: want a token, as RFC 6455, section 4.1, has it", i, name)
		}
	}
	return nil
}

// notToken reports whether a token of HTTP may not have r: RFC 9110, section 5.6.2.
func notToken(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}
