package presence_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wirecall/wirecall/internal/presencetest"
	"github.com/wirecall/wirecall/rpc/presence"
)

func TestMemory(t *testing.T) {
	m := &presence.Memory{}
	presencetest.Run(t, 10_000, m, m)
}

func TestModel(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 1))
				registry := &presence.Memory{}
				m := presencetest.NewModel(t, random, "room", registry, registry)
				for range 20 {
					for range random.IntN(100) {
						m.Step()
						time.Sleep(time.Duration(random.IntN(5)) * time.Millisecond)
					}
					m.Wait()
				}
			})
		})
	}
}
