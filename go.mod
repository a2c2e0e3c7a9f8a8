module github.com/wirecall/wirecall

go 1.26.0
