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

// A subscriptionForm is what //wirecall:subscription says: a preset, and what differs
// from it by key.
type subscriptionForm struct {
	preset string
	keys   map[string]string
}

var (
	errSubscription = errors.New("write //wirecall:subscription, with " + subscriptionWords)
	foreignName     = regexp.MustCompile(`^(\$/)?[\pL_][\pL\pN_./-]{0,127}$`)
	memberName      = regexp.MustCompile(`^[\pL\pN_][\pL\pN_.-]{0,127}$`)
)

// subscriptionWords says what the arguments are.
const subscriptionWords = "ethereum, substrate, rpc-websockets or go-jsonrpc behind it if it is theirs, and then KEY=VALUE with the keys subscribe, kind, notify, unsubscribe, cancel, end, id and item"

// Subscription returns how the stream of a method is carried in plain mode, by the arguments
// that //wirecall:subscription has for it.
func Subscription(method string, words []string) (*model.Subscription, error) {
	d := &directive{}
	if err := d.subscription(words); err != nil {
		if errors.Is(err, errSubscription) {
			err = errors.New("want " + subscriptionWords)
		}
		return nil, err
	}
	return d.sub.of(method)
}

func (d *directive) subscription(words []string) error {
	form := &subscriptionForm{keys: map[string]string{}}
	if len(words) > 0 && !strings.Contains(words[0], "=") {
		if presets[words[0]].fill == nil {
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

// A preset fills a subscription of a method as the protocol has it that it is named
// after.
type preset struct {
	fill  func(s *model.Subscription, name string) (ok bool)
	names string   // such as the names must be on the wire that fill accepts
	keys  []string // must be given for any other name
}

var presets = map[string]preset{
	"ethereum":       {ethereum, "eth_newHeads", []string{"kind"}},
	"substrate":      {substrate, "chain_subscribeNewHead", []string{"notify", "unsubscribe"}},
	"rpc-websockets": {fill: rpcWebSockets},
	"go-jsonrpc":     {fill: goJSONRPC},
}

func ethereum(s *model.Subscription, name string) bool {
	ns, kind, ok := strings.Cut(name, "_")
	if !ok {
		ns, kind = "eth", name
	}
	if kind != "subscribe" {
		s.Kind = kind
	}
	s.Subscribe, s.Notify, s.Unsubscribe = ns+"_subscribe", ns+"_subscription", ns+"_unsubscribe"
	return !strings.ContainsAny(name, "./")
}

func substrate(s *model.Subscription, name string) bool {
	ns, topic, _ := strings.Cut(name, "_subscribe")
	if topic == "" {
		return false
	}
	s.Notify, s.Unsubscribe = ns+"_"+lowerFirst(topic), ns+"_unsubscribe"+topic
	return true
}

func rpcWebSockets(s *model.Subscription, name string) bool {
	s.Subscribe, s.Kind, s.Unsubscribe = "rpc.on", name, "rpc.off"
	s.ID, s.Item = "", "0"
	return true
}

func goJSONRPC(s *model.Subscription, _ string) bool {
	s.Notify, s.End, s.Cancel, s.Unsubscribe = "xrpc.ch.val", "xrpc.ch.close", "xrpc.cancel", ""
	s.ID, s.Item = "0", "1"
	return true
}

func lowerFirst(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToLower(r)) + s[n:]
}

// of returns the subscription of a method with a name on the wire, or an error. Without
// a preset it is wirecall's own.
func (f *subscriptionForm) of(name string) (*model.Subscription, error) {
	s := &model.Subscription{Subscribe: name, Notify: name, Unsubscribe: "rpc.unsubscribe", ID: "subscription", Item: "result"}
	if p := presets[f.preset]; p.fill != nil && !p.fill(s, name) && !f.has(p.keys...) {
		return nil, fmt.Errorf("%s has names such as %s, and %s is none: give it such a name, or write %s=… behind %[1]s", f.preset, p.names, name, strings.Join(p.keys, "=… and "))
	}
	switch cancel, unsubscribe := f.keys["cancel"], f.keys["unsubscribe"]; {
	case cancel != "" && unsubscribe != "":
		return nil, errors.New("a stream is ended by a call or by a notification: write unsubscribe= or cancel=, not both")
	case cancel != "":
		s.Unsubscribe = ""
	case unsubscribe != "":
		s.Cancel = ""
	}
	for key, value := range f.keys {
		*s.Key(key) = value
	}
	return s, incomplete(s)
}

// has reports whether all keys are given.
func (f *subscriptionForm) has(keys ...string) bool {
	return !slices.ContainsFunc(keys, func(key string) bool {
		_, ok := f.keys[key]
		return !ok
	})
}

// incomplete returns an error for a subscription whose notifications could not be read.
func incomplete(s *model.Subscription) error {
	switch {
	case s.Subscribe == "" || s.Notify == "":
		return errors.New("a subscription needs a call and notifications: subscribe= and notify= cannot be empty")
	case s.ID != "" && s.Item == "":
		return errors.New("the item cannot be all of params, since the id is there: write id= as well if there is none, or where the item is")
	case s.ID != "" && s.ID == s.Item:
		return fmt.Errorf("the id and the item cannot both be %s", s.ID)
	case s.ID == "" && s.End != "":
		return errors.New("a notification that ends a stream needs an id: write where it is, or end= if there is none")
	}
	return nil
}

// subscription fills how the stream of the method is carried in plain mode.
func (m *methodLoader) subscription(form *subscriptionForm, at token.Pos) {
	sub, err := form.of(m.out.Wire)
	if err == nil && form.preset == "rpc-websockets" && len(m.out.Params) > 0 {
		err = errors.New("an event of rpc-websockets has no parameters: the call takes names of further events in their place")
	}
	if err != nil {
		m.refusef(at, "%s: %v", m.who, err)
		return
	}
	m.out.Plain.Subscription = sub
}

// subscribes refuses a subscription that is not one stream to the caller, and reports
// whether it is one.
func (m *methodLoader) subscribes(at token.Pos) bool {
	ok := len(m.out.Results) == 1 && streams(m.out.Results) == 1 && streams(m.out.Params) == 0
	if !ok {
		m.refusef(at, "%s: only a method whose one result is a stream, and that is sent none, can be a subscription", m.who)
	}
	return ok
}

// sameCall refuses streams to which one call subscribes, and a call that is another
// method's.
func (w *pkgLoader) sameCall(s *model.Service) {
	seen := map[string]*model.Method{}
	for _, m := range s.Methods {
		seen[m.Wire] = m
	}
	for _, m := range s.Methods {
		sub := m.Plain.Subscription
		if sub == nil {
			continue
		}
		call := strings.TrimSpace(sub.Subscribe + " " + sub.Kind)
		if o := seen[call]; o != nil && o != m {
			w.problems = append(w.problems, model.Problem{Pos: m.Pos, Text: fmt.Sprintf(
				"%s.%s: in plain mode %s calls %s.%s already: write subscribe= or kind= behind //wirecall:subscription", s.Name, m.Name, call, s.Name, o.Name)})
		}
		seen[call] = m
	}
}
