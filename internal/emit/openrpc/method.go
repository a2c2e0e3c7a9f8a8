package openrpc

import (
	"slices"

	"github.com/wirecall/wirecall/internal/model"
)

func (e *emitter) method(s *model.Service, m *model.Method, tag string) object {
	out := object{{"name", m.Wire}, {"tags", []object{ref("tags", tag)}}}
	out.setText("summary", summary(m.Doc))
	out.setText("description", text(m.Doc))
	out.setTrue("deprecated", deprecated(m.Doc))
	if m.Plain.ByPosition {
		out.set("paramStructure", "by-position")
	}
	out.set("params", e.params(m))
	if !m.Notify {
		out.set("result", e.result(m))
	}
	if len(m.Errors) > 0 {
		out.set("errors", errors(m.Errors))
	}
	out.set("x-wirecall", e.extension(s, m))
	return out
}

// params is the parameters. Those at the end that a client may well leave out, pointers
// and variadic ones say, are not required: OpenRPC has such ones at the end only.
func (e *emitter) params(m *model.Method) []object {
	required := len(m.Params)
	for required > 0 && e.optional(m, required-1) {
		required--
	}
	out := []object{}
	for i, v := range m.Params {
		d := object{{"name", v.Wire}}
		d.setTrue("required", i < required)
		out = append(out, d.with("schema", e.value(v)))
	}
	return out
}

func (e *emitter) optional(m *model.Method, i int) bool {
	v := m.Params[i]
	if m.Variadic && i == len(m.Params)-1 || slices.Contains(m.Plain.OmitEmpty, v.Wire) {
		return true
	}
	is := e.Resolve(v.Type)
	return !v.Stream && is != nil && is.Kind == model.Pointer && !e.varies(v.Type)
}

// result is the one result, or an object of several.
func (e *emitter) result(m *model.Method) object {
	switch len(m.Results) {
	case 0:
		return object{{"name", "result"}, {"schema", object{{"type", "null"}}}}
	case 1:
		name := "result"
		if m.Results[0].Named {
			name = m.Results[0].Wire
		}
		return object{{"name", name}, {"schema", e.value(m.Results[0])}}
	}
	var names []string
	members := object{}
	for _, v := range m.Results {
		names = append(names, v.Wire)
		members.set(v.Wire, e.value(v))
	}
	return object{{"name", "result"}, {"schema", object{{"type", "object"}, {"properties", members}, {"required", names}}}}
}

// value is the schema of what stands for a parameter or result: for a stream its handle,
// or what a client of plain JSON-RPC knows a subscription by.
func (e *emitter) value(v *model.Value) object {
	if !v.Stream {
		return e.schema(v.Type)
	}
	return object{{"description", "A stream: a handle, or in plain JSON-RPC the id of a subscription."}, {"type", []string{"integer", "string"}}}
}

// errors is the declared errors, as OpenRPC has them.
func errors(all []*model.Error) (out []object) {
	for _, err := range all {
		out = append(out, object{{"code", err.Code}, {"message", err.Name}})
	}
	return out
}

// extension is what OpenRPC has no word for.
func (e *emitter) extension(s *model.Service, m *model.Method) object {
	out := object{{"service", s.Wire}}
	streams := object{}
	for _, side := range []struct {
		name   string
		values []*model.Value
	}{{"params", m.Params}, {"results", m.Results}} {
		if items := e.items(m, side.values); len(items) > 0 {
			streams.set(side.name, items)
		}
	}
	if len(streams) > 0 {
		out.set("streams", streams)
	}
	if len(m.Results) > 1 {
		var names []string
		for _, v := range m.Results {
			names = append(names, v.Wire)
		}
		out.set("results", names)
	}
	if names := aliases(m); len(names) > 0 {
		out.set("aliases", names)
	}
	out.setTrue("notify", m.Notify)
	out.setTrue("idempotent", m.Idempotent)
	out.setTrue("unordered", m.Unordered)
	out.setTrue("variadic", m.Variadic)
	if m.Cursor != nil {
		out.set("cursor", object{{"param", m.Cursor.Param}, {"path", e.CursorPath(m)}})
	}
	if len(m.Plain.OmitEmpty) > 0 {
		out.set("omitempty", m.Plain.OmitEmpty)
	}
	if s := m.Plain.Subscription; s != nil {
		out.set("subscription", subscription(s))
	}
	if len(m.Options) > 0 {
		options := object{}
		for _, o := range m.Options {
			options.set(o.Key, o.Value)
		}
		out.set("options", options)
	}
	if len(m.Errors) > 0 {
		out.set("errors", e.declared(m.Errors))
	}
	return out
}

// subscription is what a stream is in plain mode, by the names that directives have.
func subscription(s *model.Subscription) (out object) {
	for _, key := range model.SubscriptionKeys {
		out.setText(key, *s.Key(key))
	}
	return out
}

// aliases is the other names that parameters and results are accepted by, by their names.
func aliases(m *model.Method) (out object) {
	for _, side := range []struct {
		name   string
		values []*model.Value
	}{{"params", m.Params}, {"results", m.Results}} {
		names := object{}
		for _, v := range side.values {
			if len(v.Aliases) > 0 {
				names.set(v.Wire, v.Aliases)
			}
		}
		if len(names) > 0 {
			out.set(side.name, names)
		}
	}
	return out
}

// items is the schemas of the items of streams, by the names of the streams.
func (e *emitter) items(m *model.Method, values []*model.Value) (out object) {
	for _, v := range values {
		if v.Stream {
			out.set(v.Wire, e.schema(v.Type))
		}
	}
	return out
}

// declared is the errors with their names on the wire, and the schemas of their data.
func (e *emitter) declared(all []*model.Error) (out []object) {
	for _, err := range all {
		d := object{{"name", err.Name}, {"code", err.Code}}
		if t := err.Type; t != nil {
			if t.Kind == model.Pointer {
				t = t.Elem // whoever has the error has no nil
			}
			d.set("data", e.schema(t))
		}
		out = append(out, d)
	}
	return out
}
