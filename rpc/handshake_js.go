package rpc

import "fmt"

// validateHandshake returns an error that names the first field of o that has no meaning
// in a browser, which makes the handshake itself, or nil if there is none.
func (o *DialOptions) validateHandshake() error {
	switch {
	case o.Header != nil:
		return notInBrowser("Header")
	case o.HeaderFunc != nil:
		return notInBrowser("HeaderFunc")
	case o.HTTPClient != nil:
		return notInBrowser("HTTPClient")
	case o.NetDial != nil:
		return notInBrowser("NetDial")
	}
	return nil
}

func notInBrowser(field string) error {
	return fmt.Errorf("DialOptions.%s is set, and a browser makes the WebSocket handshake itself: leave it unset, and authenticate by DialOptions.Token", field)
}
