package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/wirecall/wirecall/rpc"
)

// discover asks the server behind a URL that rpc.Dial takes to describe itself.
func discover(ctx context.Context, url string) ([]byte, error) {
	conn, err := rpc.Dial(ctx, url, nil)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var document json.RawMessage
	err = conn.Call(ctx, &rpc.Call{Method: &rpc.Method{Name: "rpc.discover"}, Result: &document})
	return document, err
}

// discoverByPOST asks a server to describe itself by a POST.
func discoverByPOST(ctx context.Context, url string) ([]byte, error) {
	text, err := download(ctx, http.MethodPost, url, `{"jsonrpc":"2.0","id":1,"method":"rpc.discover"}`)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Result json.RawMessage
		Error  *struct {
			Code    int
			Message string
		}
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, err
	}
	switch {
	case answer.Error != nil:
		return nil, fmt.Errorf("rpc.discover: %s (%d)", answer.Error.Message, answer.Error.Code)
	case len(answer.Result) == 0:
		return nil, errors.New("rpc.discover: the answer has no result")
	}
	return answer.Result, nil
}
