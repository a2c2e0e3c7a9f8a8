package otelrpc

import (
	"errors"
	"io"
	"strconv"

	"github.com/wirecall/wirecall/rpc"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// The attributes of the semantic conventions, version 1.45.0, of which OpenTelemetry has
// no Go package yet, and wirecall's own.
const (
	keyMethod         = attribute.Key("rpc.method")
	keyMethodOriginal = attribute.Key("rpc.method_original")
	keyStatusCode     = attribute.Key("rpc.status_code")
	keyErrorType      = attribute.Key("error.type")
	keyPeerAddress    = attribute.Key("network.peer.address")
	keyPeerPort       = attribute.Key("network.peer.port")
	keyDirection      = attribute.Key("network.io.direction")

	keyStreamName = attribute.Key("wirecall.stream.name")
	keyStreamEnd  = attribute.Key("wirecall.stream.end")
	keyItems      = attribute.Key("wirecall.stream.items")   // of a span
	keyBytes      = attribute.Key("wirecall.stream.io")      // of a span
	keyBlocked    = attribute.Key("wirecall.stream.blocked") // of a span, in seconds
	keySide       = attribute.Key("wirecall.side")
	keyState      = attribute.Key("wirecall.connection.state")
	keyOutcome    = attribute.Key("wirecall.resume.outcome")
)

var (
	systemJSONRPC = attribute.String("rpc.system.name", "jsonrpc")
	version       = attribute.String("jsonrpc.protocol.version", "2.0")
	transmit      = keyDirection.String("transmit")
	receive       = keyDirection.String("receive")
)

// direction returns the direction of a stream.
func direction(sent bool) attribute.KeyValue {
	if sent {
		return transmit
	}
	return receive
}

// failure returns the attributes of a call or a stream that ended with err.
func failure(err error) []attribute.KeyValue {
	code := strconv.Itoa(int(rpc.CodeOf(err)))
	return []attribute.KeyValue{keyStatusCode.String(code), keyErrorType.String(code)}
}

// fail marks a span as failed.
func fail(span trace.Span, err error) {
	if !span.IsRecording() {
		return
	}
	span.SetAttributes(failure(err)...)
	span.SetStatus(codes.Error, err.Error())
}

// sessionEnd returns the attributes of a session that ended with a cause. A session that
// either side closed has none.
func sessionEnd(cause error) []attribute.KeyValue {
	name := ""
	switch e, ok := errors.AsType[*rpc.CloseError](cause); {
	case errors.Is(cause, rpc.ErrClosed) || ok && e.Code == 1000:
		return nil
	case ok:
		name = strconv.Itoa(e.Code)
	case errors.Is(cause, io.EOF):
		name = "EOF"
	case rpc.CodeOf(cause) == rpc.CodeUnknown:
		name = "_OTHER"
	default:
		name = strconv.Itoa(int(rpc.CodeOf(cause)))
	}
	return []attribute.KeyValue{keyErrorType.String(name)}
}
