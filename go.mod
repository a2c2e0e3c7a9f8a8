module github.com/wirecall/wirecall

go 1.26.0

require github.com/coder/websocket v1.8.15

require github.com/fxamacker/cbor/v2 v2.9.6

require github.com/x448/float16 v0.8.4 // indirect
