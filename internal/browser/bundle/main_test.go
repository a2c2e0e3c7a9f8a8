package main

import (
	"path/filepath"
	"testing"
)

// The bundles that the pages embed are made of their sources.
func TestBundlesAreFresh(t *testing.T) {
	entries, err := filepath.Glob("../../../example/*/web/src/main.ts")
	if err != nil || len(entries) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	for _, entry := range entries {
		if err := bundle(entry, filepath.Dir(filepath.Dir(entry)), false, true); err != nil {
			t.Error(err)
		}
	}
	if err := bundle("../../inspect/src/main.ts", "../../inspect", true, true); err != nil {
		t.Error(err)
	}
}
