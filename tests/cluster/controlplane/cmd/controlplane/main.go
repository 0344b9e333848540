// Command controlplane is etcd and the three Kubernetes control plane programs in one binary:
// they share nearly all of their code, so it builds and loads once.
//
// Usage: controlplane etcd|kube-apiserver|kube-controller-manager|kube-scheduler [flags]
// or, to make the key that signs service account tokens: controlplane signing-key FILE
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	_ "time/tzdata" // time zones for CronJobs, on machines without a zone database

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client-go's metrics
	_ "k8s.io/component-base/metrics/prometheus/version"  // the version metric
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

func main() {
	if len(os.Args) < 2 {
		fail(errors.New("name a component: etcd, kube-apiserver, kube-controller-manager or kube-scheduler"))
	}

	// Each program reads os.Args itself, and expects its own name first.
	os.Args = os.Args[1:]
	var command *cobra.Command
	switch os.Args[0] {
	case "etcd":
		etcdmain.Main(os.Args)
		return
	case "signing-key":
		fail(writeSigningKey(os.Args[1:]))
		return
	case "kube-apiserver":
		command = apiserver.NewAPIServerCommand()
	case "kube-controller-manager":
		command = controllermanager.NewControllerManagerCommand()
	case "kube-scheduler":
		command = scheduler.NewSchedulerCommand()
	default:
		fail(fmt.Errorf("unknown component %q", os.Args[0]))
	}
	os.Exit(cli.Run(command))
}

// writeSigningKey writes a new private key to the one file named in args.
func writeSigningKey(args []string) error {
	if len(args) != 1 {
		return errors.New("signing-key takes one file")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	return os.WriteFile(args[0], block, 0o600)
}

// fail ends the process when there is an error.
func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "controlplane:", err)
		os.Exit(2)
	}
}
