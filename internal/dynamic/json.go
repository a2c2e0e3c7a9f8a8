package dynamic

import "encoding/json"

// A JSON is a value as JSON, whatever the codec of the connection is: codec/cbor converts
// what encodes itself as JSON.
type JSON = json.RawMessage
