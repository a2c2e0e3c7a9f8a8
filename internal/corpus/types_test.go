package corpus

import (
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/params"
	"github.com/google/go-github/v66/github"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/api/types/swarm"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/api/types/volume"
	"github.com/stripe/stripe-go/v81"
	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	rbac "k8s.io/api/rbac/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

//go:generate go tool wirecall gen

// Corpus is not served. What it mentions is what the tests are about.
//
//wirecall:service
//wirecall:json all
type Corpus interface {
	Kubernetes(core.Service, core.Node, core.ConfigMap, core.Container, core.Event, apps.DeploymentStatus, batch.JobStatus, networking.IngressStatus, rbac.Role, meta.ObjectMeta, meta.Status) error
	GitHub(github.Repository, github.Issue, github.PullRequest, github.User, github.Commit, github.CheckRun, github.PushEvent, github.Hook, github.RepositoryRelease, github.WorkflowRun) error
	Ethereum(params.ChainConfig, params.BlobConfig, Account, []common.Hash) error
	Docker(container.InspectResponse, container.Summary, container.StatsResponse, image.InspectResponse, network.Inspect, swarm.Node, swarm.Service, system.Info, volume.Volume) error
	Stripe(stripe.Address, stripe.PaymentMethodBillingDetails, stripe.PaymentMethodCard, stripe.ShippingDetails) error
}

// Account is as Ethereum's programs have them.
type Account struct {
	Label    string                      `json:"label"`
	Address  common.Address              `json:"address"`
	Balance  *hexutil.Big                `json:"balance"`
	Nonce    hexutil.Uint64              `json:"nonce,omitempty"`
	Code     hexutil.Bytes               `json:"code,omitempty"`
	Storage  map[common.Hash]common.Hash `json:"storage,omitzero"`
	Accounts map[string]common.Address   `json:"accounts"`
	Index    *hexutil.Uint               `json:"index"`
}

// values has one of every type of the corpus.
var values = []any{
	new(core.Service), new(core.Node), new(core.ConfigMap), new(core.Container), new(core.Event), new(apps.DeploymentStatus), new(batch.JobStatus), new(networking.IngressStatus), new(rbac.Role), new(meta.ObjectMeta), new(meta.Status),
	new(github.Repository), new(github.Issue), new(github.PullRequest), new(github.User), new(github.Commit), new(github.CheckRun), new(github.PushEvent), new(github.Hook), new(github.RepositoryRelease), new(github.WorkflowRun),
	new(params.ChainConfig), new(params.BlobConfig), new(Account),
	new(container.InspectResponse), new(container.Summary), new(container.StatsResponse), new(image.InspectResponse), new(network.Inspect), new(swarm.Node), new(swarm.Service), new(system.Info), new(volume.Volume),
	new(stripe.Address), new(stripe.PaymentMethodBillingDetails), new(stripe.PaymentMethodCard), new(stripe.ShippingDetails),
}
