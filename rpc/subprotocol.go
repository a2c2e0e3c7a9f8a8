package rpc

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/internal/session"
)

// ownSubprotocols is the prefix of the names of wirecall's versions. A name with it
// that this version does not know is never accepted, because the peer would use it.
const ownSubprotocols = "wirecall."

// maxSubprotocol is the largest size in bytes of an application's subprotocol that the
// default accepts. Pages put tokens into names.
const maxSubprotocol = 8 << 10

func subprotocol(cd codec.Codec) string { return ownSubprotocols + "v1." + cd.Format().Name() }

// isOwnSubprotocol reports whether a name is wirecall's, in any case.
func isOwnSubprotocol(name string) bool {
	return len(name) >= len(ownSubprotocols) && strings.EqualFold(name[:len(ownSubprotocols)], ownSubprotocols)
}

// offered returns the subprotocols that a handshake offers, in order.
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

// selectSubprotocol returns the subprotocol to use of those that a client offers, or
// "", with its codec and mode: the first of wirecall's, or else the first of the
// application's own, in plain mode. Names are compared exactly.
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
			return !isOwnSubprotocol(name) && len(name) <= maxSubprotocol
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
		case isOwnSubprotocol(name):
			return fmt.Errorf("ServerOptions.Subprotocols[%d] is %q: names that begin with %q are wirecall's, and need not be listed", i, name, ownSubprotocols)
		case name == "" || strings.ContainsFunc(name, notToken):
			return fmt.Errorf("ServerOptions.Subprotocols[%d] is %q: want a token, as RFC 6455, section 4.1, has it", i, name)
		}
	}
	return nil
}

// notToken reports whether r cannot be in an HTTP token: RFC 9110, section 5.6.2.
func notToken(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
}
