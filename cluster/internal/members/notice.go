package members

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/wirecall/wirecall/cluster/internal/seldom"
)

// A notice is what a node sends to others about itself, or about one that has left.
type notice struct {
	Kind        string   `json:"kind"`
	Name        string   `json:"name"`
	Incarnation string   `json:"incarnation"`
	Number      uint64   `json:"number,omitempty"` // rises with each notice of an incarnation
	URL         string   `json:"url,omitempty"`
	Lease       int64    `json:"lease,omitempty"` // in milliseconds
	Nodes       []string `json:"nodes,omitempty"` // in an answer: the names of those of which the node knows
}

const (
	kindRenew = "renew" // the node is there; also the answer to kindAsk
	kindGone  = "gone"  // the node has left
	kindAsk   = "ask"   // the node asks who is there
)

// A sealer authenticates notices.
type sealer struct {
	key  []byte
	log  *slog.Logger
	warn seldom.Seldom
}

func newSealer(key []byte, log *slog.Logger) *sealer {
	return &sealer{key: key, log: log, warn: seldom.Seldom{Every: 10 * time.Second}}
}

// seal returns an encoded notice behind its HMAC.
func (s *sealer) seal(n notice) []byte {
	body, err := json.Marshal(n)
	if err != nil {
		panic(err) // there is nothing in it that JSON does not have
	}
	return append(s.mac(body), body...)
}

// open returns a notice, and whether it is of a node with the same key. One that is not
// is anybody's.
func (s *sealer) open(sealed []byte) (n notice, ok bool) {
	if len(sealed) < sha256.Size {
		s.refused("")
		return n, false
	}
	mac, body := sealed[:sha256.Size], sealed[sha256.Size:]
	authentic := hmac.Equal(mac, s.mac(body))
	if err := json.Unmarshal(body, &n); err != nil || !authentic {
		s.refused(n.Name)
		return n, false
	}
	return n, true
}

func (s *sealer) mac(body []byte) []byte {
	h := hmac.New(sha256.New, s.key)
	h.Write(body)
	return h.Sum(nil)
}

// refused logs that a notice is not authentic.
func (s *sealer) refused(name string) {
	name = shorten(name)
	s.warn.Do(func() {
		s.log.Warn("cluster: refused a notice that is not authentic: give all nodes the same NodeOptions.Secret, and other clusters on this NATS another Prefix", "name", name)
	})
}

// shorten returns a name that is not known to be of a node as it may be logged.
func shorten(name string) string { return name[:min(len(name), 64)] }
