// istioanalyze tells what `istioctl analyze` would say of manifests in a cluster that has them.
//
//	istioanalyze FILE_OR_DIR...
//
// It prints one JSON object a line for each message, information included. Unlike `istioctl analyze --use-kube=false`
// it skips no analyser: there is a cluster, in memory, with the Services, pods and namespaces among the manifests.
// It exits with 2 if it could not analyse.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"istio.io/istio/pkg/config/analysis/analyzers"
	"istio.io/istio/pkg/config/analysis/local"
	"istio.io/istio/pkg/kube"
	"istio.io/istio/pkg/log"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"dubbo-mesh.test/istio/manifests"
)

// message is one line of the output.
type message struct {
	Level    string `json:"level"`
	Code     string `json:"code"`
	Resource string `json:"resource"`
	Text     string `json:"text"`
}

func main() {
	if err := analyze(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "istioanalyze:", err)
		os.Exit(2)
	}
}

func analyze(paths []string) error {
	if err := logToStandardError(); err != nil {
		return err
	}
	documents, err := manifests.Read(paths...)
	if err != nil {
		return err
	}
	output := json.NewEncoder(os.Stdout)
	analyzer := local.NewIstiodAnalyzer(analyzers.AllCombined(), "", "istio-system", nil)
	if err := analyzer.AddDefaultResources(); err != nil {
		return err
	}
	var objects []runtime.Object
	var configuration []local.ReaderSource
	for number, document := range documents {
		if document.Err != nil {
			return fmt.Errorf("%s: %w", document.File, document.Err)
		}
		text, err := yaml.Marshal(document.Object)
		if err != nil {
			return err
		}
		if group := document.Object.GroupVersionKind().Group; isConfiguration(group) {
			name := fmt.Sprintf("%s (%d)", document.File, number) // a source replaces an earlier one of its name
			configuration = append(configuration, local.ReaderSource{Name: name, Reader: bytes.NewReader(text)})
			continue
		}
		object, _, err := kube.IstioCodec.UniversalDeserializer().Decode(text, nil, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", document.File, err)
		}
		objects = append(objects, object)
	}
	client := kube.NewFakeClient(objects...)
	stop := make(chan struct{})
	defer close(stop)
	analyzer.AddRunningKubeSource(client)
	client.RunAndWait(stop)
	// What cannot be parsed is reported here, and the rest is analysed.
	if err := analyzer.AddReaderKubeSource(configuration); err != nil {
		if err := output.Encode(message{Level: "Error", Code: "parse", Text: err.Error()}); err != nil {
			return err
		}
	}
	result, err := analyzer.Analyze(stop)
	if err != nil {
		return err
	}
	if len(result.SkippedAnalyzers) > 0 {
		return fmt.Errorf("skipped %v", result.SkippedAnalyzers)
	}
	for _, found := range result.Messages {
		line := message{
			Level: found.Type.Level().String(),
			Code:  found.Type.Code(),
			Text:  fmt.Sprintf(found.Type.Template(), found.Parameters...),
		}
		if found.Resource != nil {
			line.Resource = found.Resource.Metadata.FullName.String()
		}
		if err := output.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

func isConfiguration(group string) bool {
	return strings.HasSuffix(group, ".istio.io") || group == "gateway.networking.k8s.io"
}

// logToStandardError keeps standard output for the results; by default, Istio logs to it.
func logToStandardError() error {
	options := log.DefaultOptions()
	options.OutputPaths = []string{"stderr"}
	options.SetDefaultOutputLevel(log.OverrideScopeName, log.ErrorLevel)
	return log.Configure(options)
}
