// Package corpus holds what is generated for structs of well-known public modules
// against encoding/json: random values, and what they encode to in broken forms
// too. It is a module of its own, so that nobody else needs those modules.
//
// The code is large and is not checked in. It is generated first:
//
//	go generate && go test
//	go test -rounds 200	(minutes, where the default takes a second)
package corpus
