"""The callback of Hugging Face's Trainer, with the real package and a model made here."""

import copy

import pytest
import torch

pytestmark = pytest.mark.extensions
transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")

from d2pyg.scores import LossDynamics, TrainingDynamics, token_losses  # noqa: E402
from d2pyg.scores.hugging_face import RecordDynamics  # noqa: E402

N, CLASSES, EPOCHS = 30, 3, 3


def items(total=N):
    generator = torch.Generator().manual_seed(0)
    words = torch.randint(5, 60, (total, 8), generator=generator)
    return [
        {"input_ids": words[i], "labels": int(words[i, 0] % CLASSES), "index": i} for i in range(total)
    ]


def model():
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=64, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, num_labels=CLASSES, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    return transformers.BertForSequenceClassification(config)


def arguments(folder, **options):
    settings = {
        "per_device_train_batch_size": 7, "num_train_epochs": EPOCHS, "report_to": [], "use_cpu": True,
        "save_strategy": "no", "disable_tqdm": True, "remove_unused_columns": False, "logging_strategy": "no",
        "learning_rate": 1e-2, "seed": 0,
    }  # fmt: skip
    return transformers.TrainingArguments(str(folder), **{**settings, **options})


def recorded(folder, network=None, **options):
    record = RecordDynamics(TrainingDynamics(N, window=2))
    transformers.Trainer(
        network or model(), arguments(folder, **options), train_dataset=items(), callbacks=[record]
    ).train()
    return record


@pytest.mark.filterwarnings("default")
class TestTrainer:
    def test_every_sample_once_an_epoch(self, tmp_path):
        network = model()
        before = {name: dict(m._forward_hooks) for name, m in network.named_modules()}
        record = recorded(tmp_path, network)
        seen = record.dynamics.state_dict()["samples"]["seen"]
        assert record.dynamics.epochs == EPOCHS
        assert seen.tolist() == [EPOCHS] * N
        assert {name: dict(m._forward_hooks) for name, m in network.named_modules()} == before
        assert record.dynamics.borderline().shape == (N,)

    def test_logits_belong_to_their_samples(self, tmp_path):
        """With a learning rate of 0, each epoch sees what one pass over the data gives."""
        network = model()
        record = recorded(tmp_path, copy.deepcopy(network), learning_rate=0.0)
        batch = {
            "input_ids": torch.stack([item["input_ids"] for item in items()]),
            "labels": torch.tensor([item["labels"] for item in items()]),
        }
        with torch.no_grad():
            logits = network.train()(**batch).logits
        plain = TrainingDynamics(N, window=2)
        for _ in range(EPOCHS):
            plain.update(torch.arange(N), logits, batch["labels"])
            plain.end_epoch()
        torch.testing.assert_close(record.dynamics.aum(), plain.aum(), rtol=1e-4, atol=1e-5)

    def test_workers_and_accumulation(self, tmp_path):
        record = recorded(tmp_path, dataloader_num_workers=1, gradient_accumulation_steps=2)
        assert record.dynamics.state_dict()["samples"]["seen"].tolist() == [EPOCHS] * N

    def test_evaluation_is_not_recorded(self, tmp_path):
        record = RecordDynamics(TrainingDynamics(N, window=2))
        trainer = transformers.Trainer(
            model(), arguments(tmp_path, eval_strategy="epoch"), train_dataset=items(),
            eval_dataset=[{k: v for k, v in item.items() if k != "index"} for item in items(5)],
            callbacks=[record],
        )  # fmt: skip
        trainer.train()
        assert record.dynamics.state_dict()["samples"]["seen"].tolist() == [EPOCHS] * N

    def test_a_run_that_resumes(self, tmp_path):
        options = {"save_strategy": "epoch"}
        whole = recorded(tmp_path / "whole", **options)
        recorded(tmp_path / "part", num_train_epochs=1, **options)
        record = RecordDynamics(TrainingDynamics(N, window=2))
        trainer = transformers.Trainer(
            model(), arguments(tmp_path / "part", **options), train_dataset=items(), callbacks=[record]
        )
        trainer.train(resume_from_checkpoint=True)
        assert record.dynamics.epochs == whole.dynamics.epochs == EPOCHS
        assert record.dynamics.state_dict()["samples"]["seen"].tolist() == [EPOCHS] * N

    def test_losses_of_a_language_model(self, tmp_path):
        """One per sample, by its tokens, also in a run that resumes."""
        torch.manual_seed(0)
        config = transformers.GPT2Config(vocab_size=64, n_positions=8, n_embd=16, n_layer=1, n_head=2)
        network = transformers.GPT2LMHeadModel(config).eval()
        words = torch.stack([item["input_ids"] for item in items()])
        data = [{"input_ids": row, "labels": row, "index": i} for i, row in enumerate(words)]
        with torch.no_grad():
            expected = [float(network(row[None], labels=row[None]).loss) for row in words]

        def losses(output, labels):
            return token_losses(output["logits"], labels, shift=True)

        for epochs in 1, EPOCHS:
            record = RecordDynamics(LossDynamics(N), losses=losses)
            config.resid_pdrop = config.embd_pdrop = config.attn_pdrop = 0.0
            fresh = transformers.GPT2LMHeadModel(config)
            fresh.load_state_dict(network.state_dict())
            options = {"num_train_epochs": epochs, "learning_rate": 0.0, "save_strategy": "epoch"}
            transformers.Trainer(
                fresh, arguments(tmp_path, **options), train_dataset=data, callbacks=[record]
            ).train(resume_from_checkpoint=epochs > 1)
            assert record.dynamics.epochs == epochs
            assert record.dynamics.mean_loss().tolist() == pytest.approx(expected, rel=1e-4)

    def test_refuses(self, tmp_path):
        for dynamics, losses in [
            (LossDynamics(N), None),
            (TrainingDynamics(N), len),
            (LossDynamics(N), 3),
        ]:
            with pytest.raises(
                TypeError, match="'losses' to be a function with a LossDynamics, and None"
            ):
                RecordDynamics(dynamics, losses=losses)
        with pytest.raises(
            TypeError, match=r"'dynamics' to be a TrainingDynamics or a LossDynamics .got int"
        ):
            RecordDynamics(3)
        with pytest.raises(ValueError, match="'remove_unused_columns' to be False"):
            recorded(tmp_path, remove_unused_columns=True)
        without = [{k: v for k, v in item.items() if k != "index"} for item in items()]
        with pytest.raises(ValueError, match="Expected 'index' in every training batch"):
            transformers.Trainer(
                model(), arguments(tmp_path), train_dataset=without,
                callbacks=[RecordDynamics(TrainingDynamics(N))],
            ).train()  # fmt: skip


def test_accelerate_needs_no_callback():
    """Each process feeds its own batches; end_epoch puts them together."""
    accelerate = pytest.importorskip("accelerate")
    accelerator = accelerate.Accelerator(cpu=True)
    x = torch.randn(N, 4, generator=torch.Generator().manual_seed(0))
    data = torch.utils.data.TensorDataset(torch.arange(N), x, (x[:, 0] > 0).long())
    network = torch.nn.Linear(4, 2)
    network, optimizer, loader = accelerator.prepare(
        network,
        torch.optim.SGD(network.parameters(), 0.1),
        torch.utils.data.DataLoader(data, 7, shuffle=True),
    )
    dynamics = TrainingDynamics(N, window=2)
    for _ in range(2):
        for index, features, label in loader:
            logits = network(features)
            dynamics.update(index, logits, label)
            accelerator.backward(torch.nn.functional.cross_entropy(logits, label))
            optimizer.step()
            optimizer.zero_grad()
        dynamics.end_epoch()
    assert dynamics.state_dict()["samples"]["seen"].tolist() == [2] * N
