package load

import (
	"errors"
	"fmt"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wirecall/wirecall/internal/model"
)

// A paramsForm is what //wirecall:params says about how parameters are sent in plain mode.
type paramsForm struct {
	position bool
	omitAll  bool
	omit     []string // parameters that are left out if they are empty, if not all are
}

var errParams = errors.New("write //wirecall:params position or //wirecall:params name, with omitempty or omitempty=PARAMETER,PARAMETER behind it or in its place")

func (d *directive) parameters(words []string) error {
	if len(words) == 0 {
		return errParams
	}
	d.params = &paramsForm{}
	for i, word := range words {
		list, some := strings.CutPrefix(word, "omitempty=")
		switch {
		case i == 0 && (word == "position" || word == "name"):
			d.params.position = word == "position"
		case i < len(words)-1:
			return errParams
		case word == "omitempty":
			d.params.omitAll = true
		case some:
			d.params.omit = strings.Split(list, ",")
		default:
			return errParams
		}
	}
	for _, name := range d.params.omit {
		if !token.IsIdentifier(name) {
			return errParams
		}
	}
	return nil
}

// A subscriptionForm is what //wirecall:subscription says: a preset, and what differs
// from it by key.
type subscriptionForm struct {
	preset string
	keys   map[string]string
}

var (
	errSubscription = errors.New("write //wirecall:subscription, with ethereum, substrate, rpc-websockets or go-jsonrpc behind it if it is theirs, and then KEY=VALUE with the keys subscribe, kind, notify, unsubscribe, cancel, end, id and item")
	foreignName     = regexp.MustCompile(`^(\$/)?[\pL_][\pL\pN_./-]{0,127}$`)
	memberName      = regexp.MustCompile(`^[\pL\pN_][\pL\pN_.-]{0,127}$`)
)

func (d *directive) subscription(words []string) error {
	form := &subscriptionForm{keys: map[string]string{}}
	if len(words) > 0 && !strings.Contains(words[0], "=") {
		if presets[words[0]] == nil {
			return errSubscription
		}
		form.preset, words = words[0], words[1:]
	}
	for _, word := range words {
		key, value, _ := strings.Cut(word, "=")
		if _, twice := form.keys[key]; twice || new(model.Subscription).Key(key) == nil {
			return errSubscription
		}
		pattern := foreignName
		if key == "id" || key == "item" || key == "kind" {
			pattern = memberName
		}
		if value != "" && !pattern.MatchString(value) {
			return fmt.Errorf("%s cannot be %q", key, value)
		}
		form.keys[key] = value
	}
	d.sub = form
	return nil
}

// presets fill a subscription of a method with a name as the protocols have it that they
// are named after.
var presets = map[string]func(s *model.Subscription, name string){
	"ethereum": func(s *model.Subscription, name string) {
		ns, kind, ok := strings.Cut(name, "_")
		if !ok {
			ns, kind = "eth", name
		}
		if kind != "subscribe" {
			s.Kind = kind
		}
		s.Subscribe, s.Notify, s.Unsubscribe = ns+"_subscribe", ns+"_subscription", ns+"_unsubscribe"
	},
	"substrate": func(s *model.Subscription, name string) {
		ns, topic, ok := strings.Cut(name, "_subscribe")
		if ok {
			s.Notify, s.Unsubscribe = ns+"_"+lowerFirst(topic), ns+"_unsubscribe"+topic
		}
	},
	"rpc-websockets": func(s *model.Subscription, name string) {
		s.Subscribe, s.Kind, s.Unsubscribe = "rpc.on", name, "rpc.off"
		s.ID, s.Item = "", "0"
	},
	"go-jsonrpc": func(s *model.Subscription, _ string) {
		s.Notify, s.End, s.Cancel, s.Unsubscribe = "xrpc.ch.val", "xrpc.ch.close", "xrpc.cancel", ""
		s.ID, s.Item = "0", "1"
	},
}

func lowerFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}

// of returns the subscription of a method with a name on the wire. Without a preset it
// is wirecall's own.
func (f *subscriptionForm) of(name string) *model.Subscription {
	s := &model.Subscription{Subscribe: name, Notify: name, Unsubscribe: "rpc.unsubscribe", ID: "subscription", Item: "result"}
	if fill := presets[f.preset]; fill != nil {
		fill(s, name)
	}
	for key, value := range f.keys {
		*s.Key(key) = value
	}
	return s
}

// plain fills what the method is in plain mode, after its name is known.
func (m *methodLoader) plain(d *decl, own []placedDirective) {
	params, sub, at := d.params, d.sub, m.at
	if len(m.out.Results) != 1 || streams(m.out.Results) != 1 {
		sub = nil // that of the service is for its streams
	}
	for _, o := range own {
		if o.params != nil {
			params, at = o.params, o.pos
		}
		if o.sub != nil {
			sub = o.sub
			m.subscribes(o.pos)
		}
	}
	if params != nil && len(m.out.Params) > 0 {
		m.out.Plain.ByPosition = params.position
		m.out.Plain.OmitEmpty = params.omit
		m.omitted(params, at)
	}
	if sub != nil {
		m.out.Plain.Subscription = sub.of(m.out.Wire)
	}
}

// omitted fills the parameters that are left out if they are empty, and refuses names
// that are none.
func (m *methodLoader) omitted(params *paramsForm, at token.Pos) {
	for _, name := range params.omit {
		if m.param(name) == nil {
			m.refusef(at, "%s: it has no parameter %s to leave out", m.who, name)
		}
	}
	last := m.out.Params[len(m.out.Params)-1]
	switch {
	case params.omitAll:
		for _, v := range m.out.Params {
			m.out.Plain.OmitEmpty = append(m.out.Plain.OmitEmpty, v.Name)
		}
	case params.position && m.out.Variadic && !slices.Contains(params.omit, last.Name):
		m.out.Plain.OmitEmpty = append(slices.Clip(params.omit), last.Name)
	}
}

// subscribes refuses a subscription that is not one stream to the caller.
func (m *methodLoader) subscribes(at token.Pos) {
	if len(m.out.Results) != 1 || streams(m.out.Results) != 1 || streams(m.out.Params) > 0 {
		m.refusef(at, "%s: only a method whose one result is a stream, and that is sent none, can be a subscription", m.who)
	}
}
