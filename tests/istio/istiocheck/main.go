// istiocheck tells what an API server with Istio's resource definitions, and Istio's own webhook, would say of manifests.
//
//	istiocheck -definitions DIR FILE_OR_DIR...
//
// It prints one JSON object a line for each resource. Kinds that the definitions do not have, such as Service, are
// skipped. It exits with 1 if there was an error, and with 2 if it could not check.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"istio.io/istio/pilot/pkg/config/kube/crd"
	definitions "istio.io/istio/pkg/config/crd"
	"istio.io/istio/pkg/config/schema/collections"
	"istio.io/istio/pkg/config/schema/resource"
	"istio.io/istio/pkg/log"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"dubbo-mesh.test/istio/manifests"
)

// verdict is one line of the output.
type verdict struct {
	File     string   `json:"file"`
	Kind     string   `json:"kind"`
	Name     string   `json:"name"`
	Skipped  bool     `json:"skipped"`
	Errors   []string `json:"errors"`
	Warnings []string `json:"warnings"`
}

func main() {
	directory := flag.String("definitions", "", "directory of CustomResourceDefinitions")
	flag.Parse()
	wrong, err := check(*directory, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "istiocheck:", err)
		os.Exit(2)
	}
	if wrong {
		os.Exit(1)
	}
}

func check(directory string, paths []string) (wrong bool, err error) {
	if err := logToStandardError(); err != nil {
		return false, err
	}
	files, err := filepath.Glob(filepath.Join(directory, "*.yaml"))
	if err != nil || len(files) == 0 {
		return false, fmt.Errorf("no definitions in %q: %v", directory, err)
	}
	validator, err := definitions.NewValidatorFromFiles(files...)
	if err != nil {
		return false, err
	}
	documents, err := manifests.Read(paths...)
	if err != nil {
		return false, err
	}
	output := json.NewEncoder(os.Stdout)
	for _, document := range documents {
		judged := judge(validator, document)
		wrong = wrong || len(judged.Errors) > 0
		if err := output.Encode(judged); err != nil {
			return false, err
		}
	}
	return wrong, nil
}

func judge(validator *definitions.Validator, document manifests.Document) verdict {
	judged := verdict{File: document.File, Errors: []string{}, Warnings: []string{}}
	if document.Err != nil {
		judged.Errors = append(judged.Errors, document.Err.Error())
		return judged
	}
	object := document.Object
	judged.Kind, judged.Name = object.GetKind(), object.GetName()
	if !isDefined(object) {
		judged.Skipped = true
		return judged
	}
	if err := validator.ValidateCustomResource(object); err != nil {
		judged.Errors = append(judged.Errors, "definition: "+oneLine(err))
	}
	if schema := istioSchema(object); schema != nil {
		warning, err := validate(schema, object)
		if warning != nil {
			judged.Warnings = append(judged.Warnings, oneLine(warning))
		}
		if err != nil {
			judged.Errors = append(judged.Errors, "istio: "+oneLine(err))
		}
	}
	return judged
}

// isDefined is by group alone, so that an unknown kind or version of such a group is an error.
func isDefined(object *unstructured.Unstructured) bool {
	group := object.GroupVersionKind().Group
	return strings.HasSuffix(group, ".istio.io") || group == "gateway.networking.k8s.io"
}

// istioSchema is nil for what Istio itself does not validate, such as Gateway API's routes.
func istioSchema(object *unstructured.Unstructured) resource.Schema {
	kind := object.GroupVersionKind()
	for _, schema := range collections.Istio.All() {
		if schema.Group() == kind.Group && schema.Kind() == kind.Kind {
			return schema
		}
	}
	return nil
}

func validate(schema resource.Schema, object *unstructured.Unstructured) (warning, err error) {
	text, err := object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var parsed crd.IstioKind
	if err := json.Unmarshal(text, &parsed); err != nil {
		return nil, err
	}
	config, err := crd.ConvertObject(schema, &parsed, "cluster.local")
	if err != nil {
		return nil, err
	}
	return schema.ValidateConfig(*config)
}

func oneLine(err error) string {
	return strings.Join(strings.Fields(err.Error()), " ")
}

// logToStandardError keeps standard output for the results; by default, Istio logs to it.
func logToStandardError() error {
	options := log.DefaultOptions()
	options.OutputPaths = []string{"stderr"}
	options.SetDefaultOutputLevel(log.OverrideScopeName, log.ErrorLevel)
	return log.Configure(options)
}
