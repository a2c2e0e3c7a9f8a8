package cbor_test

import (
	"fmt"
	"log"

	"github.com/wirecall/wirecall/codec"
	"github.com/wirecall/wirecall/codec/cbor"
)

// The same value in the two codecs. Both go by the json tags.
func Example() {
	type Reading struct {
		Sensor string  `json:"sensor"`
		Value  float64 `json:"value"`
		Raw    []byte  `json:"raw,omitempty"`
	}
	sent := Reading{Sensor: "attic", Value: 21.5, Raw: []byte{0xca, 0xfe}}

	for _, c := range []codec.Codec{codec.JSON, cbor.Codec} {
		b, err := c.Append(nil, sent)
		if err != nil {
			log.Fatal(err)
		}
		var got Reading
		if err := c.Decode(b, &got); err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %d bytes, %v\n", c.Name(), len(b), got)
	}
	// Output:
	// json: 44 bytes, {attic 21.5 [202 254]}
	// cbor: 30 bytes, {attic 21.5 [202 254]}
}
