package wire

import (
	"maps"
	"slices"
	"strconv"

	"github.com/wirecall/wirecall/internal/cborscan"
	"github.com/wirecall/wirecall/internal/jsonscan"
)

// Head is a message without its body, the params or the result. The body comes
// last on the wire, so that a codec can append it in place:
//
//	b = f.AppendRequest(b, &head)
//	b, err = codec.Append(b, params) // only if head.Body
//	b = f.AppendTail(b)
type Head struct {
	ID      []byte            // raw; nil for a notification
	Method  string            // of a request
	Timeout int64             // of a request, in milliseconds; 0 for none
	Meta    map[string]string // goes out sorted by key
	Streams []uint64          // the handles that the message introduces
	Body    bool              // of a request: params follow. A result always does
}

// AppendID appends the raw form of an id.
func (f Format) AppendID(dst []byte, id uint64) []byte {
	if f == CBOR {
		return cborscan.AppendHead(dst, cborscan.Uint, id)
	}
	return strconv.AppendUint(dst, id, 10)
}

// AppendRequest appends a request or a notification up to its params.
func (f Format) AppendRequest(dst []byte, h *Head) []byte {
	members := 1
	for _, there := range [...]bool{h.ID != nil, h.Timeout != 0, len(h.Meta) > 0, len(h.Streams) > 0, h.Body} {
		if there {
			members++
		}
	}
	dst = f.open(dst, members)
	if h.ID != nil {
		dst = append(f.name(dst, "id"), h.ID...)
	}
	dst = f.AppendString(f.name(dst, "method"), h.Method)
	if h.Timeout != 0 {
		dst = f.AppendInt(f.name(dst, "timeout"), h.Timeout)
	}
	if len(h.Meta) > 0 {
		dst = f.meta(dst, h.Meta)
	}
	if len(h.Streams) > 0 {
		dst = f.streams(dst, h.Streams)
	}
	if h.Body {
		dst = f.name(dst, "params")
	}
	return dst
}

// AppendResponse appends a response up to its result.
func (f Format) AppendResponse(dst []byte, h *Head) []byte {
	members := 2
	if len(h.Meta) > 0 {
		members++
	}
	if len(h.Streams) > 0 {
		members++
	}
	dst = f.id(f.open(dst, members), h.ID)
	if len(h.Meta) > 0 {
		dst = f.meta(dst, h.Meta)
	}
	if len(h.Streams) > 0 {
		dst = f.streams(dst, h.Streams)
	}
	return f.name(dst, "result")
}

// AppendTail appends the end of a message, behind the body.
func (f Format) AppendTail(dst []byte) []byte {
	if f == CBOR {
		return dst
	}
	return append(dst, '}')
}

// An Error is the error object of a response or of a stream's end: JSON-RPC 2.0,
// section 5.1, and the two members that wirecall mode adds.
type Error struct {
	Code    int
	Message string
	Type    string // the name of a declared error; empty for none
	Data    []byte // raw; nil for none
	Ran     string // "no" or "maybe"; empty for none
	Retry   int64  // in milliseconds; 0 for none
}

// AppendError appends a whole response that is an error. A nil id is written as
// null: the request that failed is not known.
func (f Format) AppendError(dst []byte, id []byte, e *Error, meta map[string]string) []byte {
	members := 2
	if len(meta) > 0 {
		members++
	}
	dst = f.id(f.open(dst, members), id)
	if len(meta) > 0 {
		dst = f.meta(dst, meta)
	}
	dst = f.AppendErrorObject(f.name(dst, "error"), e)
	return f.AppendTail(dst)
}

// AppendErrorObject appends an error by itself.
func (f Format) AppendErrorObject(dst []byte, e *Error) []byte {
	if f == CBOR {
		members := uint64(2)
		for _, there := range [...]bool{e.Type != "", e.Data != nil, e.Ran != "", e.Retry != 0} {
			if there {
				members++
			}
		}
		dst = cborscan.AppendHead(dst, cborscan.Map, members)
		dst = cborscan.AppendText(dst, "code")
	} else {
		dst = append(dst, `{"code":`...)
	}
	dst = f.AppendInt(dst, int64(e.Code))
	dst = f.AppendString(f.name(dst, "message"), e.Message)
	if e.Type != "" {
		dst = f.AppendString(f.name(dst, "type"), e.Type)
	}
	if e.Ran != "" {
		dst = f.AppendString(f.name(dst, "ran"), e.Ran)
	}
	if e.Retry != 0 {
		dst = f.AppendInt(f.name(dst, "retry"), e.Retry)
	}
	if e.Data != nil {
		dst = append(f.name(dst, "data"), e.Data...)
	}
	return f.AppendTail(dst)
}

// AppendControl appends a whole notification with integers by position. With
// none it has no params.
func (f Format) AppendControl(dst []byte, method string, args ...int64) []byte {
	dst = f.AppendRequest(dst, &Head{Method: method, Body: len(args) > 0})
	if len(args) > 0 {
		dst = f.openArray(dst, len(args))
		for i, arg := range args {
			if i > 0 {
				dst = f.AppendSeparator(dst)
			}
			dst = f.AppendInt(dst, arg)
		}
		dst = f.closeArray(dst)
	}
	return f.AppendTail(dst)
}

// AppendCancelRequest appends the notification that the request with this id
// is no longer wanted, in the form of the Language Server Protocol.
func (f Format) AppendCancelRequest(dst []byte, id []byte) []byte {
	dst = f.AppendRequest(dst, &Head{Method: "$/cancelRequest", Body: true})
	if f == CBOR {
		dst = cborscan.AppendText(cborscan.AppendHead(dst, cborscan.Map, 1), "id")
	} else {
		dst = append(dst, `{"id":`...)
	}
	dst = append(dst, id...)
	return f.AppendTail(f.AppendTail(dst))
}

// AppendItems appends a whole notification with n items of a stream. They are
// encoded already, one behind the other, with
// separators between them: see AppendSeparator.
func (f Format) AppendItems(dst []byte, handle uint64, n int, items []byte) []byte {
	return f.appendItemsTail(append(f.appendItemsHead(dst, handle, n), items...))
}

func (f Format) appendItemsHead(dst []byte, handle uint64, n int) []byte {
	if f == JSON {
		dst = append(dst, usualStart+`"method":"`+methodItems+`","params":[`...)
		return append(strconv.AppendUint(dst, handle, 10), ",["...)
	}
	dst = f.AppendRequest(dst, &Head{Method: methodItems, Body: true})
	dst = f.AppendID(f.openArray(dst, 2), handle)
	return f.openArray(f.AppendSeparator(dst), n)
}

func (f Format) appendItemsTail(dst []byte) []byte {
	if f == JSON {
		return append(dst, "]]}"...)
	}
	return dst
}

// ItemRoom is the number of free bytes that ItemFrame needs before an item.
const ItemRoom = 80

// ItemFrame returns the frame of one message of AppendItems with one item, which
// buf holds behind ItemRoom bytes. The frame is in the buffer that it returns,
// which is buf where that has room behind the item.
func (f Format) ItemFrame(buf []byte, handle uint64) (grown, frame []byte) {
	var room [ItemRoom]byte
	head := f.appendItemsHead(room[:0], handle, 1)
	msg := ItemRoom - len(head)
	copy(buf[msg:], head)
	buf = f.appendItemsTail(buf)
	return buf, f.Frame(buf, msg)
}

// AppendEnd appends a whole notification, $/end or $/cancel, that a stream is
// over, with an error object that says why, or nil.
func (f Format) AppendEnd(dst []byte, method string, handle uint64, errObject []byte) []byte {
	dst = f.AppendRequest(dst, &Head{Method: method, Body: true})
	if errObject == nil {
		dst = f.AppendID(f.openArray(dst, 1), handle)
	} else {
		dst = f.AppendID(f.openArray(dst, 2), handle)
		dst = append(f.AppendSeparator(dst), errObject...)
	}
	return f.AppendTail(f.closeArray(dst))
}

// AppendSeparator appends the separator of two elements of an array.
func (f Format) AppendSeparator(dst []byte) []byte {
	if f == CBOR {
		return dst
	}
	return append(dst, ',')
}

// AppendString appends a string, in JSON with the escapes of json.Marshal.
func (f Format) AppendString(dst []byte, s string) []byte {
	if f == CBOR {
		return cborscan.AppendText(dst, s)
	}
	return jsonscan.AppendString(dst, s)
}

// open begins a message of so many members, "jsonrpc" not counted. Only JSON
// has that one; because of it every other member begins with a comma.
func (f Format) open(dst []byte, members int) []byte {
	if f == CBOR {
		return cborscan.AppendHead(dst, cborscan.Map, uint64(members))
	}
	return append(dst, `{"jsonrpc":"2.0"`...)
}

// name begins a member that is not the first of its object. The name is one of
// the protocol's and needs no escapes.
func (f Format) name(dst []byte, name string) []byte {
	if f == CBOR {
		return append(cborscan.AppendHead(dst, cborscan.String, uint64(len(name))), name...)
	}
	dst = append(dst, ',', '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

// AppendInt appends an integer.
func (f Format) AppendInt(dst []byte, n int64) []byte {
	if f == CBOR {
		return cborscan.AppendInt(dst, n)
	}
	return strconv.AppendInt(dst, n, 10)
}

func (f Format) openArray(dst []byte, n int) []byte {
	if f == CBOR {
		return cborscan.AppendHead(dst, cborscan.Array, uint64(n))
	}
	return append(dst, '[')
}

func (f Format) closeArray(dst []byte) []byte {
	if f == CBOR {
		return dst
	}
	return append(dst, ']')
}

// id appends the id of a response, which is never without one.
func (f Format) id(dst, id []byte) []byte {
	dst = f.name(dst, "id")
	switch {
	case id != nil:
		return append(dst, id...)
	case f == CBOR:
		return append(dst, cborscan.Null)
	}
	return append(dst, "null"...)
}

func (f Format) meta(dst []byte, meta map[string]string) []byte {
	dst = f.name(dst, "meta")
	if f == CBOR {
		dst = cborscan.AppendHead(dst, cborscan.Map, uint64(len(meta)))
	} else {
		dst = append(dst, '{')
	}
	for i, key := range slices.Sorted(maps.Keys(meta)) {
		if i > 0 {
			dst = f.AppendSeparator(dst)
		}
		dst = f.AppendString(dst, key)
		if f == JSON {
			dst = append(dst, ':')
		}
		dst = f.AppendString(dst, meta[key])
	}
	return f.AppendTail(dst)
}

func (f Format) streams(dst []byte, handles []uint64) []byte {
	dst = f.openArray(f.name(dst, "streams"), len(handles))
	for i, handle := range handles {
		if i > 0 {
			dst = f.AppendSeparator(dst)
		}
		dst = f.AppendID(dst, handle)
	}
	return f.closeArray(dst)
}

// AppendObject begins an object of n members: each is AppendKey and then its
// value, and AppendObjectEnd follows the last.
func (f Format) AppendObject(dst []byte, n int) []byte {
	if f == CBOR {
		return cborscan.AppendHead(dst, cborscan.Map, uint64(n))
	}
	return append(dst, '{')
}

// AppendKey begins a member of an object.
func (f Format) AppendKey(dst []byte, name string, first bool) []byte {
	if f == CBOR {
		return f.AppendString(dst, name)
	}
	if !first {
		dst = append(dst, ',')
	}
	return append(f.AppendString(dst, name), ':')
}

// AppendObjectEnd ends an object.
func (f Format) AppendObjectEnd(dst []byte) []byte {
	if f == CBOR {
		return dst
	}
	return append(dst, '}')
}

// AppendBool appends true or false.
func (f Format) AppendBool(dst []byte, v bool) []byte {
	switch {
	case f == JSON:
		return strconv.AppendBool(dst, v)
	case v:
		return append(dst, cborscan.True)
	}
	return append(dst, cborscan.False)
}

// AppendNull appends a null.
func (f Format) AppendNull(dst []byte) []byte {
	if f == CBOR {
		return append(dst, cborscan.Null)
	}
	return append(dst, "null"...)
}
