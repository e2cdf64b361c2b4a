// Checks a log folder with Go's golang.org/x/mod/sumdb/note and tlog: nothing of ours decides here.
//
//	main FOLDER VERIFIER_KEY [PROOFS]
//	main -files VERIFIER_KEY KEPT_CHECKPOINT PROOF_FILE…
//
// The second form checks files that `indelible prove` wrote, without any folder.
//
// Chain, leaves, signatures and roots of all notes, the rows tree/<L>, inclusion proofs for a spread of records and
// consistency proofs between all noted sizes, made by tlog from the rows; then the proofs in the file PROOFS, one JSON
// object a line, made by whoever wants them checked. Exit status: 0 all agree, 1 something does not, 2 usage.
//
// It does not judge what the log's own records allow: whether a prune or a redaction is signed, whether each boundary
// between segments has its note, whether the form of a line is strict.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"sort"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// How many records of each tree are proven at most, and between how many sizes.
const (
	spread      = 200
	growthsMost = 20000
)

func main() {
	files := len(os.Args) > 4 && os.Args[1] == "-files"
	if len(os.Args) != 3 && len(os.Args) != 4 && !files {
		fmt.Fprintln(os.Stderr, "usage: main FOLDER VERIFIER_KEY [PROOFS]")
		fmt.Fprintln(os.Stderr, "       main -files VERIFIER_KEY KEPT_CHECKPOINT PROOF_FILE…")
		os.Exit(2)
	}
	verifier, err := note.NewVerifier(os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "verifier key:", err)
		os.Exit(2)
	}
	if files {
		if err := checkFiles(verifier, os.Args[3], os.Args[4:]); err != nil {
			fmt.Fprintln(os.Stderr, "DISAGREES:", err)
			os.Exit(1)
		}
		fmt.Println("all agree")
		return
	}
	proofs := ""
	if len(os.Args) == 4 {
		proofs = os.Args[3]
	}
	if err := run(os.Args[1], verifier, proofs); err != nil {
		fmt.Fprintln(os.Stderr, "DISAGREES:", err)
		os.Exit(1)
	}
	fmt.Println("all agree")
}

func run(folder string, verifier note.Verifier, proofs string) error {
	notes, err := readNotes(folder, verifier)
	if err != nil {
		return err
	}
	fmt.Printf("notes: %d verify, %d by unknown keys, %d sizes from %d to %d\n",
		notes.good, notes.unknown, len(notes.sizes), notes.sizes[0], notes.largest())

	tree, err := readRecords(folder, notes.largest())
	if err != nil {
		return err
	}
	if err := tree.checkRoots(notes); err != nil {
		return err
	}
	fmt.Printf("roots: %d recomputed from the records agree with the notes\n", len(notes.sizes))

	rows, err := readRows(folder, notes.largest(), tree)
	if err != nil {
		return err
	}
	if err := checkProofsFromRows(notes, tree, rows); err != nil {
		return err
	}
	if proofs != "" {
		return checkGivenProofs(proofs, tree)
	}
	return nil
}

// tree is the Merkle tree over all records, its leaves from the segments (from tree/0 for pruned records).
type tree struct {
	leaves []tlog.Hash
	stored []tlog.Hash // in tlog's order
}

func (t *tree) size() int64 { return int64(len(t.leaves)) }

func (t *tree) push(leaf tlog.Hash) error {
	hashes, err := tlog.StoredHashesForRecordHash(t.size(), leaf, t)
	if err != nil {
		return err
	}
	t.leaves, t.stored = append(t.leaves, leaf), append(t.stored, hashes...)
	return nil
}

// ReadHashes makes tree a tlog.HashReader.
func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= int64(len(t.stored)) {
			return nil, fmt.Errorf("the tree of %d records has no hash %d", t.size(), index)
		}
		out[i] = t.stored[index]
	}
	return out, nil
}

// root is tlog.TreeHash, but for the empty tree that of RFC 6962.
func (t *tree) root(size int64) (tlog.Hash, error) {
	if size == 0 {
		return sha256.Sum256(nil), nil
	}
	return tlog.TreeHash(size, t)
}

func (t *tree) checkRoots(notes *notes) error {
	for _, size := range notes.sizes {
		if size > t.size() {
			return fmt.Errorf("a note says %d records, there are %d", size, t.size())
		}
		root, err := t.root(size)
		if err != nil {
			return err
		}
		if root != notes.roots[size] {
			return fmt.Errorf("the records give root %v at %d, the note says %v", root, size, notes.roots[size])
		}
	}
	return nil
}

func checkProofsFromRows(notes *notes, tree *tree, rows tlog.HashReader) error {
	records, growths := 0, 0
	for _, size := range notes.sizes {
		if size == 0 {
			continue
		}
		root := notes.roots[size]
		for _, index := range spreadOver(size) {
			proof, err := tlog.ProveRecord(size, index, rows)
			if err == nil {
				err = tlog.CheckRecord(proof, size, root, index, tree.leaves[index])
			}
			if err != nil {
				return fmt.Errorf("inclusion of record %d in %d: %w", index, size, err)
			}
			records++
		}
	}
	for i, to := range notes.sizes {
		for _, from := range notes.sizes[:i] {
			if from == 0 || growths == growthsMost {
				continue
			}
			proof, err := tlog.ProveTree(to, from, rows)
			if err == nil {
				err = tlog.CheckTree(proof, to, notes.roots[to], from, notes.roots[from])
			}
			if err != nil {
				return fmt.Errorf("consistency of %d with %d: %w", to, from, err)
			}
			growths++
		}
	}
	fmt.Printf("proofs made from the rows: %d of inclusion, %d of consistency hold\n", records, growths)
	return nil
}

// spreadOver is the first records, the last ones, and some between.
func spreadOver(size int64) []int64 {
	chosen := map[int64]bool{0: true, size - 1: true}
	for i := int64(0); i < spread; i++ {
		chosen[i*size/spread] = true
	}
	out := make([]int64, 0, len(chosen))
	for index := range chosen {
		out = append(out, index)
	}
	sort.Slice(out, func(i, j int) bool { return out[i] < out[j] })
	return out
}

var errHash = errors.New("a hash is 64 lower-case hexadecimal digits")

func parseHash(text string) (tlog.Hash, error) {
	var hash tlog.Hash
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(hash) || hex.EncodeToString(raw) != text {
		return hash, errHash
	}
	copy(hash[:], raw)
	return hash, nil
}
