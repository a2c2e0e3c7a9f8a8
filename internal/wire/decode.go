package wire

import (
	"slices"

	"github.com/wirecall/wirecall/internal/cborscan"
)

// Decode reads src, one message and nothing else, into m. Every error is a
// *Fault. On an invalid request m still holds the id if that is a valid one,
// so that the refusal can carry it, and nothing else; after a parse error m is
// empty.
//
// Member names match exactly, case included. Unknown members are skipped, also repeated
// ones.
//
// Decode does not allocate, except for a fault, a method name with escapes, and the
// first streams that are stored in m.
func (f Format) Decode(src []byte, m *Message) error { return f.decodeMessage(src, m, false) }

// DecodePlain is Decode for a peer in plain mode. The members that wirecall adds to
// JSON-RPC 2.0 are unknown ones. A null error beside a result counts as absent, and so
// does a null result beside an error, as JSON-RPC 1.0 has them.
func (f Format) DecodePlain(src []byte, m *Message) error { return f.decodeMessage(src, m, true) }

func (f Format) decodeMessage(src []byte, m *Message, plain bool) error {
	// What passes with one level more than a value may have holds no deep value.
	// Few messages need the second scan.
	d := decoder{f: f, m: m, levels: CalleeDepth + 1, plain: plain}
	fault := d.decode(src)
	if d.deep {
		d = decoder{f: f, m: m, levels: MaxDepth, plain: plain}
		fault = d.decode(src)
		m.Deep = true
	}
	switch {
	case fault == nil:
		return nil
	case fault.Code == ParseError:
		m.reset(nil)
	default:
		m.reset(m.ID)
		m.Answer = d.seen&memberMethod == 0 && d.seen&memberAnswer != 0
		m.Request = d.seen&memberMethod != 0 && d.seen&memberAnswer == 0
	}
	return fault
}

// decode reads one message.
func (d *decoder) decode(src []byte) (fault *Fault) {
	d.m.reset(nil)
	if d.f == CBOR {
		fault = d.cbor(src)
	} else {
		fault = d.json(src)
	}
	if fault == nil {
		d.finish()
		fault = d.fault
	}
	return fault
}

// member is a set of envelope members.
type member uint16

const (
	memberVersion member = 1 << iota
	memberID
	memberMethod
	memberParams
	memberResult
	memberError
	memberTimeout
	memberMeta
	memberStreams

	memberAnswer = memberResult | memberError
	memberOwn    = memberTimeout | memberMeta | memberStreams // wirecall's
)

// memberOf returns the member called name, or 0 for an unknown one.
func memberOf(name []byte) member {
	switch string(name) {
	case "jsonrpc":
		return memberVersion
	case "id":
		return memberID
	case "method":
		return memberMethod
	case "params":
		return memberParams
	case "result":
		return memberResult
	case "error":
		return memberError
	case "timeout":
		return memberTimeout
	case "meta":
		return memberMeta
	case "streams":
		return memberStreams
	}
	return 0
}

// A decoder fills one message.
//
// It continues behind the first reason for an invalid request: the id may follow, and a
// parse error, which takes precedence.
type decoder struct {
	f     Format
	m     *Message
	seen  member
	fault *Fault // why the request is invalid; the first reason wins

	plain  bool // see DecodePlain
	levels int  // that may nest
	deep   bool // more do
}

// malformed is the Fault for a scanner's negative result.
func (d *decoder) malformed(at int) *Fault {
	d.deep = isTooDeep(at)
	return parseError(d.f.wrong(at, d.levels))
}

func (d *decoder) refuse(why string) {
	if d.fault == nil {
		d.fault = invalidRequest(why)
	}
}

// cbor reads a message of CBOR.
func (d *decoder) cbor(src []byte) *Fault {
	if len(src) == 0 {
		return parseError("no message")
	}
	if src[0]>>5 != cborscan.Map {
		if end := cborscan.Whole(src, d.levels); end < 0 {
			return d.malformed(end)
		}
		return invalidRequest("not a map")
	}
	end := cborscan.Members(src, d.levels, func(name, value []byte) bool {
		d.member(name, value)
		return true
	})
	if end < 0 {
		return d.malformed(end)
	}
	if end != len(src) {
		return d.malformed(^end)
	}
	return nil
}

// member takes one member of the envelope. Its value is known to be well
// formed. A nil name is a CBOR key that is not text.
func (d *decoder) member(name, value []byte) {
	which := memberOf(name)
	if which == 0 || d.plain && d.unsaid(which, value) {
		return
	}
	if d.seen&which != 0 {
		if which == memberID {
			d.m.ID = nil // which of them to answer?
		}
		d.refuse("duplicate member " + string(name))
		return
	}
	d.seen |= which
	switch which {
	case memberVersion:
		d.version(value)
	case memberID:
		d.id(value)
	case memberMethod:
		d.method(value)
	case memberParams:
		d.params(value)
	case memberResult:
		d.m.Result = value
	case memberError:
		d.error(value)
	case memberTimeout:
		d.timeout(value)
	case memberMeta:
		d.meta(value)
	case memberStreams:
		d.streams(value)
	}
}

// unsaid reports whether a member from a plain peer is ignored.
func (d *decoder) unsaid(which member, value []byte) bool {
	return which&memberOwn != 0 || which == memberError && d.f.Kind(value) == Null
}

// version: JSON-RPC 2.0, section 4, requires exactly "2.0". In CBOR it is ignored.
func (d *decoder) version(value []byte) {
	if d.f == JSON && string(value) != `"2.0"` && string(jsonText(value)) != "2.0" {
		d.refuse(`jsonrpc is not "2.0"`)
	}
}

// id: JSON-RPC 2.0, section 4, requires a string, a number or null.
func (d *decoder) id(value []byte) {
	switch d.f.Kind(value) {
	case String, Number, Null:
		d.m.ID = value
	default:
		d.refuse("id is not a string, a number or null")
	}
}

func (d *decoder) method(value []byte) {
	if d.f.Kind(value) != String {
		d.refuse("method is not a string")
		return
	}
	d.m.Method = d.f.text(value)
}

// params: JSON-RPC 2.0, section 4.2, requires a structured value. Null counts as
// absent, because many clients send it.
func (d *decoder) params(value []byte) {
	switch d.f.Kind(value) {
	case Array, Object:
		d.m.Params = value
	case Null:
	default:
		d.refuse("params is not an array or an object")
	}
}

// error: JSON-RPC 2.0, section 5.1. Its other members are ignored.
func (d *decoder) error(value []byte) {
	if d.f.Kind(value) != Object {
		d.refuse("error is not an object")
		return
	}
	var code, message bool
	for r := d.f.ReadObject(value); r.Next(); {
		switch value := r.Value(); string(r.Name) {
		case "code":
			_, code = d.f.Int(value)
		case "message":
			message = d.f.Kind(value) == String
		}
	}
	if !code || !message {
		d.refuse("error has no integer code or no string message")
		return
	}
	d.m.Error = value
}

func (d *decoder) timeout(value []byte) {
	n, ok := d.f.Natural(value)
	if !ok {
		d.refuse("timeout is not an integer from 0 to 2^53-1")
		return
	}
	d.m.Timeout = min(max(n, 1), MaxTimeout)
}

func (d *decoder) meta(value []byte) {
	switch d.f.Kind(value) {
	case Null:
		return
	case Object:
	default:
		d.refuse("meta is not an object")
		return
	}
	for r := d.f.ReadObject(value); r.Next(); {
		if d.f.Kind(r.Value()) != String || r.Name == nil {
			d.refuse("meta is not strings only")
			return
		}
	}
	d.m.Meta = value
}

// streams: an empty list is the same as none.
func (d *decoder) streams(value []byte) {
	if d.f.Kind(value) != Array {
		d.refuse("streams is not an array")
		return
	}
	for raw := range d.f.Array(value) {
		handle, ok := d.f.Natural(raw)
		if !ok || handle < 1 || !d.stream(uint64(handle)) {
			d.refuse("streams is not a list of at most 16 different handles from 1")
			return
		}
	}
}

// stream adds one handle and reports whether it may.
func (d *decoder) stream(handle uint64) bool {
	if len(d.m.Streams) == MaxStreams || slices.Contains(d.m.Streams, handle) {
		return false
	}
	d.m.Streams = append(d.m.Streams, handle)
	return true
}

// finish checks which members are there together.
func (d *decoder) finish() {
	if d.plain && d.m.Error != nil && d.m.Result != nil && d.f.Kind(d.m.Result) == Null {
		d.seen &^= memberResult
		d.m.Result = nil
	}
	if d.m.Handle < 0 && !d.plain && string(d.m.Method) == methodItems {
		d.splitItems()
	}
	switch {
	case d.f == JSON && d.seen&memberVersion == 0:
		d.refuse("jsonrpc is missing")
	case d.seen&memberMethod != 0:
		if d.seen&memberAnswer != 0 {
			d.refuse("both a method and an answer")
		}
	case d.seen&memberAnswer == 0:
		d.refuse("no method, result or error")
	case d.seen&memberAnswer == memberAnswer:
		d.refuse("both a result and an error")
	case d.seen&memberID == 0:
		d.refuse("an answer without an id")
	}
}
