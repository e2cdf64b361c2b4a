package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/tlog"
)

// given is one line of the file PROOFS.
type given struct {
	Kind    string
	Index   *int64
	Size    *int64
	Leaf    string
	Root    string
	Old     *int64
	New     *int64
	OldRoot string `json:"old_root"`
	NewRoot string `json:"new_root"`
	Proof   []string
}

// checkGivenProofs checks each proof with tlog, and that it is about this log.
func checkGivenProofs(path string, t *tree) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	records, growths, line := 0, 0, 0
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		line++
		var g given
		decoder := json.NewDecoder(bytes.NewReader(scanner.Bytes()))
		decoder.DisallowUnknownFields()
		err := decoder.Decode(&g)
		if err == nil {
			switch g.Kind {
			case "inclusion":
				err = g.inclusion(t)
				records++
			case "consistency":
				err = g.consistency(t)
				growths++
			default:
				err = fmt.Errorf("kind %q", g.Kind)
			}
		}
		if err != nil {
			return fmt.Errorf("%s line %d: %w", path, line, err)
		}
	}
	if err := scanner.Err(); err != nil {
		return err
	}
	if line == 0 {
		return fmt.Errorf("%s: no proofs", path)
	}
	fmt.Printf("proofs given: %d of inclusion, %d of consistency hold\n", records, growths)
	return nil
}

func (g *given) inclusion(t *tree) error {
	if g.Index == nil || g.Size == nil {
		return errors.New("no index or no size")
	}
	proof, err := g.hashes(t, *g.Size, g.Root)
	if err != nil {
		return err
	}
	leaf, err := parseHash(g.Leaf)
	if err != nil {
		return fmt.Errorf("leaf: %w", err)
	}
	root, err := t.root(*g.Size)
	if err == nil {
		err = tlog.CheckRecord(proof, *g.Size, root, *g.Index, leaf)
	}
	if err == nil && leaf != t.leaves[*g.Index] {
		err = fmt.Errorf("leaf %d is %v here", *g.Index, t.leaves[*g.Index])
	}
	return err
}

func (g *given) consistency(t *tree) error {
	if g.Old == nil || g.New == nil {
		return errors.New("no old or no new")
	}
	if _, err := g.hashes(t, *g.Old, g.OldRoot); err != nil {
		return err
	}
	proof, err := g.hashes(t, *g.New, g.NewRoot)
	if err != nil {
		return err
	}
	if *g.Old == 0 && *g.New > 0 { // tlog knows no proof from the empty tree: there is nothing to show
		if len(proof) != 0 {
			return errors.New("a proof from the empty tree is empty")
		}
		return nil
	}
	older, err := t.root(*g.Old)
	if err != nil {
		return err
	}
	newer, err := t.root(*g.New)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, *g.New, newer, *g.Old, older)
}

// hashes parses the proof, and sees to it that root is the log's own at size.
func (g *given) hashes(t *tree, size int64, root string) ([]tlog.Hash, error) {
	if size < 0 || size > t.size() {
		return nil, fmt.Errorf("size %d of a log of %d records", size, t.size())
	}
	claimed, err := parseHash(root)
	if err != nil {
		return nil, fmt.Errorf("root: %w", err)
	}
	own, err := t.root(size)
	if err != nil {
		return nil, err
	}
	if claimed != own {
		return nil, fmt.Errorf("root at %d is %x here", size, own[:])
	}
	proof := make([]tlog.Hash, len(g.Proof))
	for i, text := range g.Proof {
		if proof[i], err = parseHash(text); err != nil {
			return nil, fmt.Errorf("proof: %w", err)
		}
	}
	return proof, nil
}
