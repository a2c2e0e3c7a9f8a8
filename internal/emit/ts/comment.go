package ts

import "strings"

// doc is a comment as TSDoc, indented: its code in fences, and a paragraph that begins
// with Deprecated: as the tag.
func doc(indent, text string) string {
	lines := comment(text)
	switch len(lines) {
	case 0:
		return ""
	case 1:
		return indent + "/** " + lines[0] + " */\n"
	}
	for i, line := range lines {
		lines[i] = strings.TrimRight(indent+" * "+line, " ")
	}
	return indent + "/**\n" + strings.Join(lines, "\n") + "\n" + indent + " */\n"
}

func comment(text string) (lines []string) {
	code := false
	fence := func(on bool) {
		if on != code {
			lines = append(lines, "```")
		}
		code = on
	}
	all := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i, line := range all {
		after, indented := strings.CutPrefix(line, "\t")
		switch {
		case line == "" && code && i+1 < len(all) && strings.HasPrefix(all[i+1], "\t"):
		case line == "" && !code, indented:
			fence(indented)
		default:
			fence(false)
		}
		if rest, ok := strings.CutPrefix(after, "Deprecated: "); ok && !indented {
			after = "@deprecated " + rest
		}
		lines = append(lines, strings.ReplaceAll(after, "*/", `*\/`))
	}
	fence(false)
	if len(lines) == 1 && lines[0] == "" {
		return nil
	}
	return lines
}
