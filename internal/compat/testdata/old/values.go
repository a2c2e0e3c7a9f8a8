package api

import "context"

// Values has the methods that carry a type which has changed, to the service and from it.
//
//wirecall:service
type Values interface {
	TypeChangedIn(ctx context.Context, v int64) error
	TypeChangedOut(ctx context.Context) (int64, error)
	TypeNarrowedIn(ctx context.Context, v any) error
	TypeNarrowedOut(ctx context.Context) (any, error)
	TypeWidenedIn(ctx context.Context, v string) error
	TypeWidenedOut(ctx context.Context) (string, error)
	NumberNarrowedIn(ctx context.Context, v int64) error
	NumberNarrowedOut(ctx context.Context) (int64, error)
	NumberWidenedIn(ctx context.Context, v int32) error
	NumberWidenedOut(ctx context.Context) (int32, error)
	NumberInStringIn(ctx context.Context, v struct {
		N int64 `json:",string"`
	}) error
	NumberInStringOut(ctx context.Context) (struct {
		N int64 `json:",string"`
	}, error)
	ArrayLengthIn(ctx context.Context, v [4]int) error
	ArrayLengthOut(ctx context.Context) ([4]int, error)
	MapKeyNarrowedIn(ctx context.Context, v map[string]string) error
	MapKeyNarrowedOut(ctx context.Context) (map[string]string, error)
	MapNumberNarrowedIn(ctx context.Context, v map[int64]string) error
	MapNumberNarrowedOut(ctx context.Context) (map[int64]string, error)
	MapNumberWidenedIn(ctx context.Context, v map[int32]string) error
	MapNumberWidenedOut(ctx context.Context) (map[int32]string, error)
	MapKeyWidenedIn(ctx context.Context, v map[int]string) error
	MapKeyWidenedOut(ctx context.Context) (map[int]string, error)
	FieldRemovedIn(ctx context.Context, v struct{ A, B string }) error
	FieldRemovedOut(ctx context.Context) (struct{ A, B string }, error)
	FieldCaseIn(ctx context.Context, v struct {
		UserID string `json:"userid"`
	}) error
	FieldCaseOut(ctx context.Context) (struct {
		UserID string `json:"userid"`
	}, error)
	FieldAddedIn(ctx context.Context, v struct{ A string }) error
	FieldAddedOut(ctx context.Context) (struct{ A string }, error)
	OmitAddedIn(ctx context.Context, v struct{ A string }) error
	OmitAddedOut(ctx context.Context) (struct{ A string }, error)
	OmitRemovedIn(ctx context.Context, v struct {
		A string `json:",omitempty"`
	}) error
	OmitRemovedOut(ctx context.Context) (struct {
		A string `json:",omitempty"`
	}, error)
	NullAddedIn(ctx context.Context, v string) error
	NullAddedOut(ctx context.Context) (string, error)
	NullRemovedIn(ctx context.Context, v *string) error
	NullRemovedOut(ctx context.Context) (*string, error)
	ValueRemovedIn(ctx context.Context, v ValueRemovedInKind) error
	ValueRemovedOut(ctx context.Context) (ValueRemovedOutKind, error)
	ValueAddedIn(ctx context.Context, v ValueAddedInKind) error
	ValueAddedOut(ctx context.Context) (ValueAddedOutKind, error)
	ValueChangedIn(ctx context.Context, v ValueChangedInKind) error
	ValueChangedOut(ctx context.Context) (ValueChangedOutKind, error)
	Loop(ctx context.Context, n Node) (Node, error)
}

type Node struct {
	Next *Node
	Name string
}

type ValueRemovedInKind string

const (
	ValueRemovedInGreen ValueRemovedInKind = "green"
	ValueRemovedInBlue  ValueRemovedInKind = "blue"
)

type ValueRemovedOutKind string

const (
	ValueRemovedOutGreen ValueRemovedOutKind = "green"
	ValueRemovedOutBlue  ValueRemovedOutKind = "blue"
)

type ValueAddedInKind string

const (
	ValueAddedInGreen ValueAddedInKind = "green"
)

type ValueAddedOutKind string

const (
	ValueAddedOutGreen ValueAddedOutKind = "green"
)

type ValueChangedInKind string

const (
	ValueChangedInRed ValueChangedInKind = "red"
)

type ValueChangedOutKind string

const (
	ValueChangedOutRed ValueChangedOutKind = "red"
)
