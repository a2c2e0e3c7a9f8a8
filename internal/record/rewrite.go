package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/wirecall/wirecall/internal/jsonscan"
	"github.com/wirecall/wirecall/internal/transcript"
)

// secretNames are the members whose values are never written, in lower case and without
// - and _.
var secretNames = []string{"auth", "authorization", "password", "passwd", "passphrase", "secret", "token", "accesstoken", "refreshtoken", "idtoken",
	"apikey", "privatekey", "cookie", "setcookie", "credential", "credentials", "clientsecret"}

// shortestSecret is the number of bytes from which a known secret is also found within
// other text.
const shortestSecret = 6

// mostValues is how many values of a conversation have names, and how many secrets are
// known. What comes then has a pattern without a name.
const mostValues = 10_000

// hidden has the values that are secrets. Its methods may be called by several goroutines.
type hidden struct {
	members map[string]bool

	mu     sync.Mutex
	values []secret
	named  map[string]string // by value
}

type secret struct{ quoted, name string }

func newHidden(names []string) *hidden {
	h := &hidden{members: make(map[string]bool), named: make(map[string]string)}
	for _, name := range append(secretNames, names...) {
		h.members[plainName(name)] = true
	}
	return h
}

func plainName(name string) string {
	return strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name))
}

// ofRequest takes the secrets in the head of a request.
func (h *hidden) ofRequest(req *http.Request) {
	if _, credentials, ok := strings.Cut(req.Header.Get("Authorization"), " "); ok {
		h.add(credentials)
	}
	for _, c := range req.Cookies() {
		h.add(c.Value)
	}
	for name, values := range req.URL.Query() {
		for _, v := range values {
			if h.members[plainName(name)] {
				h.add(v)
			}
		}
	}
}

// ofHandshake takes the secrets in the parameters or the result of hello, resume or
// rpc.auth.
func (h *hidden) ofHandshake(members json.RawMessage) {
	var m struct{ Session, Auth string }
	json.Unmarshal(members, &m)
	for _, v := range []string{m.Session, m.Auth} {
		if v != "" {
			h.add(v)
		}
	}
}

// add takes a secret and returns its name.
func (h *hidden) add(value string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if name, ok := h.named[value]; ok {
		return name
	}
	if len(h.named) >= mostValues {
		return ""
	}
	name := fmt.Sprintf("secret%d", len(h.named)+1)
	h.named[value] = name
	if len(value) >= shortestSecret {
		quoted := jsonscan.AppendString(nil, value)
		h.values = append(h.values, secret{string(quoted[1 : len(quoted)-1]), name})
	}
	return name
}

// out returns a string of JSON without the secrets that are known.
func (h *hidden) out(quoted []byte) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range h.values {
		quoted = bytes.ReplaceAll(quoted, []byte(s.quoted), []byte("«"+s.name+":any»"))
	}
	return quoted
}

// A rewriter replaces the values of one conversation that are secret or that vary.
type rewriter struct {
	hidden      *hidden
	exact       bool
	onlySecrets bool
	named       map[string]string // values of the server by text
	made        map[string]bool   // UUIDs of the client
	count       map[string]int    // of names, by kind
}

func newRewriter(h *hidden, exact bool) *rewriter {
	return &rewriter{hidden: h, exact: exact, named: make(map[string]string), made: make(map[string]bool), count: make(map[string]int)}
}

// message returns a message, which must be well formed, as it is written. Of its own
// members only those that belong to the application are rewritten.
func (w *rewriter) message(d direction, msg []byte) string {
	var dst bytes.Buffer
	if json.Compact(&dst, msg) != nil {
		return ""
	}
	whole := place{direction: d, envelope: true}
	w.onlySecrets = true // which may stand behind the text that has them too
	w.value(nil, dst.Bytes(), 0, whole)
	w.onlySecrets = false
	out, _ := w.value(nil, dst.Bytes(), 0, whole)
	return string(out)
}

// A place is where a value stands.
type place struct {
	direction direction
	envelope  bool // the value is a message, or a batch
	control   bool // the value is the message's own
	secret    bool
}

// below returns the place of a member.
func (w *rewriter) below(p place, name string) place {
	if p.envelope {
		own := name != "params" && name != "result" && name != "error" && name != "meta"
		return place{direction: p.direction, control: own}
	}
	p.secret = p.secret || w.hidden.members[plainName(name)]
	return p
}

// value appends the compact value that begins at s[i] and returns the index behind it.
func (w *rewriter) value(dst, s []byte, i int, p place) ([]byte, int) {
	end := jsonscan.Value(s, i, len(s))
	switch {
	case end < 0:
		return dst, len(s)
	case s[i] == '{':
		dst, i = append(dst, '{'), i+1
		for s[i] == '"' {
			colon := jsonscan.StringEnd(s, i+1)
			name := string(jsonscan.Unescape(s[i+1 : colon-1]))
			dst = append(append(dst, w.literal(s[i:colon], p)...), ':')
			dst, i = w.value(dst, s, colon+1, w.below(p, name))
			if s[i] == ',' {
				dst, i = append(dst, ','), i+1
			}
		}
		return append(dst, '}'), end
	case s[i] == '[':
		dst, i = append(dst, '['), i+1
		for s[i] != ']' {
			dst, i = w.value(dst, s, i, p)
			if s[i] == ',' {
				dst, i = append(dst, ','), i+1
			}
		}
		return append(dst, ']'), end
	}
	return w.scalar(dst, s[i:end], p), end
}

func (w *rewriter) scalar(dst, raw []byte, p place) []byte {
	isText := raw[0] == '"'
	switch {
	case p.control, p.envelope:
	case isText && len(raw) > 2:
		if pattern := w.text(string(jsonscan.Unescape(raw[1:len(raw)-1])), p); pattern != "" {
			return append(append(append(dst, '"'), pattern...), '"')
		}
	case p.secret && raw[0] != 'n' && !isText:
		return append(dst, `"«:any»"`...)
	}
	return append(dst, w.literal(raw, p)...)
}

// literal returns a scalar or a member name that has no pattern of its own. Text that
// looks like one is escaped.
func (w *rewriter) literal(raw []byte, p place) []byte {
	raw = bytes.ReplaceAll(raw, []byte("«"), []byte(`\u00ab`))
	if p.control || p.envelope {
		return raw
	}
	return w.hidden.out(raw)
}

// text returns the pattern for a text, or "" if it is written as it is.
func (w *rewriter) text(v string, p place) string {
	if p.secret {
		return "«" + w.hidden.add(v) + ":any»"
	}
	if w.exact || w.onlySecrets {
		return ""
	}
	kind := "time"
	if transcript.Is("uuid", v) {
		kind = "uuid"
	} else if !transcript.Is("time", v) {
		return ""
	}
	if p.direction == client {
		return w.sent(kind, v)
	}
	if w.made[v] {
		return ""
	}
	if name := w.named[v]; name != "" && kind == "uuid" {
		return "«" + name + "»"
	}
	return "«" + w.name(kind, v) + ":" + kind + "»"
}

// sent returns the pattern for a value of the client, which is a name if the server has
// sent the value before.
func (w *rewriter) sent(kind, v string) string {
	if name := w.named[v]; name != "" {
		return "«" + name + "»"
	}
	if kind == "uuid" && len(w.made) < mostValues {
		w.made[v] = true
	}
	return ""
}

// name returns a new name for a value of the server, or "" if there are too many.
func (w *rewriter) name(kind, v string) string {
	if len(w.named) >= mostValues {
		return ""
	}
	w.count[kind]++
	w.named[v] = fmt.Sprintf("%s%d", kind, w.count[kind])
	return w.named[v]
}
