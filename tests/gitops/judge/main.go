// Command judge says of each object on standard input (a JSON list) what deployment tools make of it: kstatus itself,
// Argo CD's health script, and Flux's health expressions. It prints a JSON list of the answers, in the same order.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/fluxcd/pkg/apis/kustomize"
	"github.com/fluxcd/pkg/runtime/cel"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"sigs.k8s.io/yaml"
)

type answer struct {
	Kstatus string `json:"kstatus"`
	Argo    string `json:"argo"`
	Message string `json:"message"`
	Flux    string `json:"flux"`
}

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run reads the folder of Argo CD's scripts (one for each kind) and the file of Flux's expressions.
func run(scripts, expressions string) error {
	var objects []unstructured.Unstructured
	if err := json.NewDecoder(os.Stdin).Decode(&objects); err != nil {
		return err
	}
	checks, err := read(expressions)
	if err != nil {
		return err
	}
	answers := make([]answer, 0, len(objects))
	for place := range objects {
		object := &objects[place]
		result, err := status.Compute(object)
		if err != nil {
			return fmt.Errorf("kstatus of %s: %w", object.GetName(), err)
		}
		health, message, err := argo(scripts+"/"+object.GetKind()+"/health.lua", object)
		if err != nil {
			return fmt.Errorf("Argo CD's health of %s: %w", object.GetName(), err)
		}
		flux, err := evaluate(checks, object)
		if err != nil {
			return fmt.Errorf("Flux's health of %s: %w", object.GetName(), err)
		}
		answers = append(answers, answer{string(result.Status), health, message, flux})
	}
	return json.NewEncoder(os.Stdout).Encode(answers)
}

// argo runs a health script as Argo CD does: the object is the global `obj`, and the script returns a table.
func argo(script string, object *unstructured.Unstructured) (string, string, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, open := range []lua.LGFunction{lua.OpenBase, lua.OpenTable, lua.OpenString} {
		state.Push(state.NewFunction(open))
		state.Call(0, 0)
	}
	state.SetGlobal("obj", value(state, object.Object))
	if err := state.DoFile(script); err != nil {
		return "", "", err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return "", "", fmt.Errorf("the script returns no table")
	}
	return table.RawGetString("status").String(), table.RawGetString("message").String(), nil
}

func value(state *lua.LState, from any) lua.LValue {
	switch found := from.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, each := range found {
			table.RawSetString(key, value(state, each))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, each := range found {
			table.Append(value(state, each))
		}
		return table
	case string:
		return lua.LString(found)
	case bool:
		return lua.LBool(found)
	case float64:
		return lua.LNumber(found)
	case int64:
		return lua.LNumber(found)
	}
	return lua.LNil
}

// read takes the healthCheckExprs out of a Flux Kustomization.
func read(path string) (map[string]kustomize.HealthCheckExpressions, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var kustomization struct {
		Spec struct {
			HealthCheckExprs []kustomize.CustomHealthCheck `json:"healthCheckExprs"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(text, &kustomization); err != nil {
		return nil, err
	}
	found := map[string]kustomize.HealthCheckExpressions{}
	for _, each := range kustomization.Spec.HealthCheckExprs {
		found[each.Kind] = each.HealthCheckExpressions
	}
	return found, nil
}

func evaluate(checks map[string]kustomize.HealthCheckExpressions, object *unstructured.Unstructured) (string, error) {
	expressions, found := checks[object.GetKind()]
	if !found {
		return "", fmt.Errorf("there is no expression for %s", object.GetKind())
	}
	evaluator, err := cel.NewStatusEvaluator(&expressions)
	if err != nil {
		return "", err
	}
	result, err := evaluator.Evaluate(context.Background(), object)
	if err != nil {
		return "", err
	}
	return string(result.Status), nil
}
