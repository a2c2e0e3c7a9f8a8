package load

import "testing"

// The names of methods in each style, as the page on other servers has them.
func TestNaming(t *testing.T) {
	for pattern, names := range map[string]map[string]string{
		"eth_methodName": {
			"GetBlockByHash": "eth_getBlockByHash", "ChainID": "eth_chainId", "ID": "eth_id", "HTTPGet": "eth_httpGet",
			"NewPayloadV3": "eth_newPayloadV3", "V2Now": "eth_v2Now", "A": "eth_a", "Get_block": "eth_getBlock", "Öffne": "eth_öffne",
		},
		"blocks/method_name":   {"GetBlockByHash": "blocks/get_block_by_hash", "ChainID": "blocks/chain_id", "Get_block": "blocks/get_block"},
		"method-name":          {"GetBlockByHash": "get-block-by-hash", "HTTPServer": "http-server"},
		"methodname":           {"GetBlockHash": "getblockhash"},
		"Filecoin.MethodName":  {"ChainID": "Filecoin.ChainID"},
		"$/methodName":         {"Progress": "$/progress"},
		"get.method_name.v1":   {"DidOpen": "get.did_open.v1"},
		"methodName":           {"Initialize": "initialize"},
		"x_methodName_MethodX": {"Do": "x_do_MethodX"},
	} {
		n, err := parseNaming(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		for method, want := range names {
			if got := n.apply(method); got != want {
				t.Errorf("%s of %s is %s, want %s", pattern, method, got, want)
			}
		}
	}
}
