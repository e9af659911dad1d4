import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from sklearn_ssl import CollapseWarning, Data2Vec, objectives
from sklearn_ssl.encoders import MLP, FTTransformer
from sklearn_ssl.views import Corruption
from tests.helpers import watch
from tests.joint_embedding.helpers import assert_follows_after_the_step, parameters_of
from tests.masked.helpers import MODALITIES, SIZES, WINE, record, untrained_task

every_modality = pytest.mark.parametrize(
    ("X", "parameters", "n_tokens"), MODALITIES.values(), ids=MODALITIES
)
SMALL = MODALITIES["table"][1]


def moved_task(estimator, X):
    """A task whose teacher is another network than its encoder, and a batch."""
    task, batch = untrained_task(estimator, X)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in task.teacher.parameters():
            parameter += 0.1 * torch.rand(parameter.shape, generator=generator)
    nn.init.normal_(task.mask_token, generator=generator)
    return task, batch


def normalize(x):
    spread = np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
    return (x - x.mean(axis=-1, keepdims=True)) / spread


@every_modality
def test_loss_is_the_distance_to_the_teacher_at_hidden_tokens(X, parameters, n_tokens):
    task, batch = moved_task(Data2Vec(top_layers=1, beta=0.5, **parameters), X)
    seen, encoded = record(task.encoder, "encode_tokens")
    shown, layers = record(task.teacher, "token_layers")
    loss = task(**batch)
    x = task.inputs(task.inputs.prepare(batch))

    # The encoder sees a mask token at hidden places, the teacher the whole row.
    tokens = task.encoder.tokens(x)
    hidden = (seen[0] != tokens).any(dim=2)
    assert (hidden.sum(dim=1) == int(task.adapted["mask_ratio"] * n_tokens)).all()
    masked = (task.mask_token + task.encoder.positions).expand_as(tokens)
    torch.testing.assert_close(seen[0][hidden], masked[hidden])
    torch.testing.assert_close(shown[0], task.teacher.tokens(x))

    # Equation 3 of the paper.
    target = normalize(normalize(layers[0][-1].double().numpy()))
    output = task.head(encoded[0]).detach().double().numpy()
    d = np.abs(output - target)
    errors = np.where(d <= 0.5, d**2 / (2 * 0.5), d - 0.5 / 2)
    assert_allclose(loss.item(), errors[hidden.numpy()].mean(), rtol=1e-4)


def test_the_teacher_sees_the_whole_view_that_the_encoder_sees_in_part():
    task, batch = moved_task(Data2Vec(views=Corruption(rate=0.5), **SMALL), WINE)
    views, _ = watch(task)
    shown, _ = record(task.teacher, "token_layers")
    task(**batch)
    assert not torch.equal(views[0]["numbers"], batch["numbers"])
    assert torch.equal(shown[0], task.teacher.tokens(task.inputs(views[0])))


@pytest.mark.parametrize(("top_layers", "n_used"), [(1, 1), (2, 2), (3, 3), (9, 3)])
def test_target_is_the_mean_of_the_last_blocks(top_layers, n_used):
    encoder = FTTransformer(dim=16, depth=3, heads=2)
    method = Data2Vec(encoder=encoder, top_layers=top_layers)
    task, batch = moved_task(method, WINE)
    x = task.inputs(batch)
    with torch.no_grad():
        layers = task.teacher.token_layers(task.teacher.tokens(x))
    used = [normalize(layer.double().numpy()) for layer in layers[-n_used:]]
    expected = normalize(np.mean(used, axis=0))
    assert_allclose(method._targets(task, x), expected, atol=1e-5)


@every_modality
def test_gradient_reaches_the_encoder_alone(X, parameters, n_tokens):
    task, batch = moved_task(Data2Vec(**parameters), X)
    task(**batch).backward()
    assert all(
        p.grad is None and not p.requires_grad for p in task.teacher.parameters()
    )
    for name, parameter in task.named_parameters():
        assert parameter.grad is not None or name.startswith("teacher"), name
    assert task.mask_token.grad.any()


def test_teacher_starts_as_the_encoder_and_is_not_counted():
    estimator = Data2Vec(**SMALL)
    task, _ = untrained_task(estimator, WINE)
    pairs = zip(parameters_of(task.teacher), parameters_of(task.encoder), strict=True)
    assert all(torch.equal(own, followed) for own, followed in pairs)
    trained = [task.encoder, task.head]
    n = sum(p.numel() for network in trained for p in network.parameters())
    assert estimator.n_parameters_ == n + task.mask_token.numel()


def test_teacher_follows_after_the_step_by_the_schedule():
    steps = []

    class Traced(Data2Vec):
        def _loss(self, task, batch):
            steps.append((parameters_of(task.encoder), parameters_of(task.teacher)))
            return super()._loss(task, batch)

        def _after_step(self, task):
            super()._after_step(task)
            steps[-1] += parameters_of(task.encoder), parameters_of(task.teacher)

    Traced(momentum=0.8, batch_size=64, max_epochs=2, random_state=0, **SMALL).fit(WINE)
    progress = np.arange(6) / 6
    momenta = 1 - 0.2 * (np.cos(np.pi * progress) + 1) / 2
    triples = [(own, followed, student) for _, own, student, followed in steps]
    for (own, followed, student), momentum in zip(triples, momenta, strict=True):
        for old, new, target in zip(own, followed, student, strict=True):
            torch.testing.assert_close(new, momentum * old + (1 - momentum) * target)
    assert_follows_after_the_step(
        [(a, own, student, new) for a, own, student, new in steps], momenta
    )


def test_teacher_has_no_dropout():
    encoder = FTTransformer(dropout=0.5, **SIZES)
    method = Data2Vec(encoder=encoder)
    task, batch = moved_task(method, WINE)
    x = task.inputs(batch)
    assert torch.equal(method._targets(task, x), method._targets(task.train(), x))


def test_scoring_changes_nothing():
    task, batch = moved_task(Data2Vec(**SMALL), WINE)
    before = {name: tensor.clone() for name, tensor in task.state_dict().items()}
    task.eval()
    with torch.no_grad():
        task(**batch)
    for name, tensor in task.state_dict().items():
        assert torch.equal(tensor, before[name]), name


@every_modality
def test_transform_embeds_all_tokens_by_the_encoder(X, parameters, n_tokens):
    estimator = Data2Vec(passthrough=False, **parameters)
    task, _ = moved_task(estimator, X)
    expected = estimator.transform(X)
    for parameter in [*task.teacher.parameters(), task.mask_token]:
        nn.init.zeros_(parameter)
    seen, _ = record(task.encoder, "encode_tokens")
    np.testing.assert_array_equal(estimator.transform(X), expected)
    assert all(tokens.shape[1] == n_tokens for tokens in seen)


def test_the_teacher_keeps_it_from_collapse(monkeypatch):
    class WithoutTeacher(Data2Vec):
        def _targets(self, task, x):
            return task.encoder.encode_tokens(task.encoder.tokens(x))

    def with_gradient(output, target, hidden, beta):
        return (output - target)[hidden].square().mean()

    parameters = {"encoder": FTTransformer(dim=16, depth=1, heads=2), "momentum": 0.9}
    parameters |= {"batch_size": 16, "learning_rate": 2e-2, "random_state": 0}
    taught = Data2Vec(max_epochs=15, **parameters).fit(WINE)
    assert taught.embedding_std_curve_[-1] > 0.2
    monkeypatch.setattr(objectives, "masked_latents", with_gradient, raising=False)
    with pytest.warns(CollapseWarning):
        WithoutTeacher(max_epochs=50, **parameters).fit(WINE)


@pytest.mark.parametrize(
    ("name", "value"),
    [("mask_ratio", value) for value in (0, 1, "most", None)]
    + [("top_layers", value) for value in (0, 1.5, "all")]
    + [("beta", value) for value in (0, -1, None)]
    + [("momentum", value) for value in (-0.1, 1.1, "slow")],
)
def test_invalid_parameters(name, value):
    with pytest.raises(ValueError, match=f"{name} must be"):
        Data2Vec(**{name: value}).fit(WINE)


def test_encoder_without_tokens():
    with pytest.raises(ValueError, match="Data2Vec hides tokens"):
        Data2Vec(encoder=MLP(hidden=(8,))).fit(WINE)
