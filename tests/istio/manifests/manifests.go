// Package manifests reads the Kubernetes resources in files and directories.
package manifests

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	yamlutil "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Document is one resource, or the reason why what stands in the file is none.
type Document struct {
	File   string
	Object *unstructured.Unstructured
	Err    error
}

// Read returns the resources in the files, and in all YAML files below the directories, in the order of their names.
// What kustomize reads itself, such as kustomization.yaml, is no resource and is left out.
func Read(paths ...string) ([]Document, error) {
	var found []Document
	for _, path := range paths {
		err := filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !isYAML(file) {
				return err
			}
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			found = append(found, split(file, text)...)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

func isYAML(file string) bool {
	switch filepath.Ext(file) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

func split(file string, text []byte) []Document {
	var found []Document
	reader := yamlutil.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			return append(found, Document{File: file, Err: err})
		}
		object, err := parse(document)
		if err != nil {
			found = append(found, Document{File: file, Err: err})
		} else if object != nil && object.GroupVersionKind().Group != "kustomize.config.k8s.io" {
			found = append(found, Document{File: file, Object: object})
		}
	}
}

// parse returns nil for a document that is empty. A key that stands there twice is an error.
func parse(document []byte) (*unstructured.Unstructured, error) {
	text, err := yaml.YAMLToJSONStrict(document)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(bytes.TrimSpace(text), []byte("null")) {
		return nil, nil
	}
	// Into the object, not into its map: integers must stay integers, or rules in CEL fail.
	object := &unstructured.Unstructured{}
	if err := object.UnmarshalJSON(text); err != nil {
		return nil, fmt.Errorf("no resource of Kubernetes: %w", err)
	}
	return object, nil
}
