package rpc

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// methodDiscover is OpenRPC's name of the method that describes a server.
const methodDiscover = "rpc.discover"

// discover is the method that returns the description of all services in r.
func (r *registry) discover() *Method {
	return &Method{
		Name: methodDiscover, Service: "rpc", Unordered: true,
		New: func() (any, any) { return nil, new(json.RawMessage) },
		Serve: func(_ context.Context, _ any, c *Call) error {
			text, err := r.description()
			*c.Result.(*json.RawMessage) = slices.Clone(text) // an interceptor may change it
			return err
		},
	}
}

// description returns the OpenRPC document of all services. It is built anew when a
// service has been added.
func (r *registry) description() (json.RawMessage, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.described != nil {
		return r.described, nil
	}
	doc := &document{OpenRPC: "1.3.2", Methods: []json.RawMessage{}}
	doc.Info.Version = "0"
	var titles []string
	for _, s := range r.services {
		if s.Name == "rpc" {
			continue
		}
		titles = append(titles, s.Name)
		if err := doc.add(s); err != nil {
			return nil, fmt.Errorf("the description of the service %s is not valid: %w", s.Name, err)
		}
	}
	doc.Info.Title = strings.Join(titles, ", ")
	var err error
	r.described, err = json.Marshal(doc)
	return r.described, err
}

// A document is an OpenRPC document, or the part of one that describes a service.
type document struct {
	OpenRPC string `json:"openrpc"`
	Info    struct {
		Title   string `json:"title"`
		Version string `json:"version"`
	} `json:"info"`
	Methods    []json.RawMessage `json:"methods"`
	Components components        `json:"components"`
}

type components struct {
	Schemas map[string]json.RawMessage `json:"schemas,omitempty"`
	Tags    map[string]json.RawMessage `json:"tags,omitempty"`
}

// add adds what describes a service. Its components have other names if those in the
// document have theirs and are not the same.
func (d *document) add(s Service) error {
	if s.Description == "" {
		return d.addNames(s)
	}
	var next document
	if err := json.Unmarshal([]byte(s.Description), &next); err != nil {
		return err
	}
	schemas, tags := renames(d.Components.Schemas, next.Components.Schemas), renames(d.Components.Tags, next.Components.Tags)
	if len(schemas)+len(tags) > 0 {
		refs := append(references("schemas", schemas), references("tags", tags)...)
		next = document{}
		if err := json.Unmarshal([]byte(strings.NewReplacer(refs...).Replace(s.Description)), &next); err != nil {
			return err
		}
	}
	d.Methods = append(d.Methods, next.Methods...)
	d.Components.Schemas = merged(d.Components.Schemas, next.Components.Schemas, schemas)
	d.Components.Tags = merged(d.Components.Tags, next.Components.Tags, tags)
	return nil
}

// renames returns the new names of components, all of them if one differs from another of
// its name: others may refer to that.
func renames(have, more map[string]json.RawMessage) map[string]string {
	differs := false
	for name, c := range more {
		other, ok := have[name]
		differs = differs || ok && string(other) != string(c)
	}
	if !differs {
		return nil
	}
	names := map[string]string{}
	for name := range more {
		other := name + "-2"
		for n := 3; have[other] != nil || more[other] != nil; n++ {
			other = fmt.Sprintf("%s-%d", name, n)
		}
		names[name] = other
	}
	return names
}

// references returns pairs of references to components, old and new.
func references(kind string, names map[string]string) (pairs []string) {
	for _, name := range slices.Sorted(maps.Keys(names)) {
		pairs = append(pairs, fmt.Sprintf(`"#/components/%s/%s"`, kind, name), fmt.Sprintf(`"#/components/%s/%s"`, kind, names[name]))
	}
	return pairs
}

// merged returns have with more, under new names.
func merged(have, more map[string]json.RawMessage, names map[string]string) map[string]json.RawMessage {
	if have == nil {
		have = map[string]json.RawMessage{}
	}
	for name, c := range more {
		if other, ok := names[name]; ok {
			name = other
		}
		have[name] = c
	}
	return have
}

// addNames adds the methods of a service without a description, of which only names are
// known.
func (d *document) addNames(s Service) error {
	type descriptor struct {
		Name   string   `json:"name"`
		Schema struct{} `json:"schema"`
	}
	for _, m := range s.Methods {
		out := struct {
			Name   string       `json:"name"`
			Params []descriptor `json:"params"`
			Result *descriptor  `json:"result,omitempty"`
		}{Name: m.Name, Params: []descriptor{}}
		for _, p := range m.Params {
			out.Params = append(out.Params, descriptor{Name: p})
		}
		if !m.Notify {
			out.Result = &descriptor{Name: "result"}
		}
		text, err := json.Marshal(out)
		if err != nil {
			return err
		}
		d.Methods = append(d.Methods, text)
	}
	return nil
}
