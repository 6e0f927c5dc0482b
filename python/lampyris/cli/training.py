"""What `lampyris fit`, `validate` and `predict` share: LightningCLI with one clear line for every mistake."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import Callback, LightningDataModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.loggers import TensorBoardLogger

from lampyris.cli.run_options import RunOptions
from lampyris.cli.shorthand import expand
from lampyris.cli.wrong_keys import one_line
from lampyris.files import atomic_write
from lampyris.tasks.detection import (
    CurvePlot,
    DetectionTask,
    DetectionWriter,
    EvaluationReport,
    ExactResume,
    FirstBatch,
    ResultsTable,
    SamplePictures,
    check_state,
    load_checkpoint,
    load_matching,
    read_checkpoint,
)
from lampyris.tasks.detection.saving import AtomicCheckpoints
from lampyris.tasks.detection.train import quiet_lightning

__all__ = ["DetectionCLI", "run"]

SKIPPED = {"model", "train_dataloaders", "val_dataloaders", "dataloaders", "datamodule", "weights_only"}
INTERRUPTED = 130


class DetectionCLI(LightningCLI):
    """LightningCLI for `DetectionTask` and the data modules of `lampyris.data`.

    A fit writes to ``--folder`` alone: config.yaml, first_batch.png, results.csv, curves.png, samples/,
    TensorBoard's events, last.ckpt (after every epoch and every few minutes) and best.ckpt (by AP).
    """

    def __init__(self, command: str, arguments: list[str]) -> None:
        self.command = command
        parser = {"exit_on_error": False, "prog": f"lampyris {command}", "allow_abbrev": False}
        super().__init__(
            DetectionTask,
            LightningDataModule,
            subclass_mode_data=True,
            seed_everything_default=0,
            parser_kwargs={"exit_on_error": False, "allow_abbrev": False, command: parser},
            save_config_callback=None,
            args=[command, *arguments],
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )

    def subcommands(self) -> dict[str, set[str]]:  # type: ignore[override]
        return {self.command: SKIPPED}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--folder", type=str, default="runs/detector", help="where the run is written")
        parser.add_class_arguments(RunOptions, "run")  # also where unused: configs hold it
        if self.command == "validate":
            parser.add_argument("--split", type=str, default="val", help="val or test")
            parser.add_argument(
                "--protocols",
                type=list[str] | str,
                default=["coco"],
                help="how boxes are counted: all, or some of coco, gen1, 1mpx, prophesee, sfod, ems_yolo",
            )

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        try:
            self.config = parser.parse_args(args)
        except ArgumentError as error:
            known = [action.dest for action in self._parser(self.command)._actions]
            raise ValueError(one_line(str(error), known, args)) from error

    @property
    def options(self) -> Any:
        """The parsed arguments of the command."""
        return self.config[self.command]

    @property
    def folder(self) -> Path:
        return Path(self.options.folder)

    def _parse_ckpt_path(self) -> None:
        """Name a missing or wrong checkpoint before anything is built."""
        path, last = self.options.ckpt_path, self.folder / "last.ckpt"
        if path == "last":
            path = self.options.ckpt_path = str(last)
        if path:
            self.checkpoint = read_checkpoint(path)
            if self.command == "fit" and "optimizer_states" not in self.checkpoint:
                raise ValueError(f"{path} holds weights only: a fit cannot be continued from it")
        elif self.command != "fit":
            raise ValueError("--ckpt_path must name a checkpoint, for example runs/digits_tiny/last.ckpt")
        elif last.exists():
            choice = f"--ckpt_path {last} to continue it, or another --folder"
            raise ValueError(f"folder {self.folder} holds a run already: give {choice}")

    def _instantiate_trainer(self, config: dict[str, Any], callbacks: list[Callback]) -> Trainer:
        fit = self.command == "fit"
        if config.get("logger") in (None, True):
            config["logger"] = TensorBoardLogger(str(self.folder), name="", version="") if fit else False
        if fit:
            table = ResultsTable(str(self.folder))
            callbacks = [*callbacks, ExactResume(), table, SamplePictures(), FirstBatch(self.folder)]
            callbacks += [CurvePlot(table, self.folder), _last(self.folder), _best(self.folder)]
            callbacks += self.run_options.callbacks(self.folder)
        if self.command == "validate":
            report = EvaluationReport(self.folder / "evaluation", self.options.protocols)
            callbacks = [*callbacks, report]
        if self.command == "predict":
            callbacks = [*callbacks, DetectionWriter(self.folder / "predictions")]
        if fit and config.get("strategy", "auto") in ("auto", "ddp") and not config.get("plugins"):
            config["plugins"] = [AtomicCheckpoints()]  # sharded strategies write their own
        config["default_root_dir"] = config.get("default_root_dir") or str(self.folder)
        return super()._instantiate_trainer(config, callbacks)

    @property
    def run_options(self) -> RunOptions:
        return RunOptions(**vars(self.options.run))

    def before_fit(self) -> None:
        if self.options.ckpt_path:
            check_state(self.model, self.checkpoint["state_dict"], str(self.options.ckpt_path))
        elif self.run_options.start_from:
            load_matching(self.model.model, self.run_options.start_from, tell=print)
        self.run_options.announce(self.model, self.datamodule, self.trainer)
        self._dump_config()
        import yaml

        kept = {key: value for key, value in self.config_dump.items() if key not in ("config", "ckpt_path")}
        if self.run_options.find_batch:
            kept["data"]["init_args"]["batch_size"] = self.datamodule.batch_size
            kept["run"]["find_batch"] = False
        atomic_write(self.folder / "config.yaml", yaml.safe_dump(kept, sort_keys=False))

    def load_weights(self) -> None:
        """Put the checkpoint's weights into the model, whatever wrote them."""
        path = self.options.ckpt_path
        content = load_checkpoint(path)
        state = content["state_dict"]
        if "plan" in content:  # an exact model
            from lampyris import compress

            compress.apply_plan(self.model.model, content["plan"])
        check_state(self.model.model, state, str(path))
        self.model.model.load_state_dict(state)
        self.config_init[self.command]["ckpt_path"] = None

    def before_validate(self) -> None:
        split = self.options.split
        if split not in ("val", "test"):
            raise ValueError(f"--split must be val or test, got {split!r}")
        if split == "test":
            self.datamodule.val_dataloader = self.datamodule.test_dataloader
        self.load_weights()

    def before_predict(self) -> None:
        self.load_weights()
        self.config_init["predict"]["return_predictions"] = False

    def after_predict(self) -> None:
        print(f"wrote {self.folder / 'predictions'}: detections.json and pictures")


def _last(folder: Path) -> ModelCheckpoint:
    return ModelCheckpoint(
        folder, filename="last", save_on_train_epoch_end=True, enable_version_counter=False
    )


def _best(folder: Path) -> ModelCheckpoint:
    return ModelCheckpoint(
        folder,
        filename="best",
        monitor="ap",
        mode="max",
        save_on_train_epoch_end=False,
        enable_version_counter=False,
    )


def run(command: str, arguments: list[str]) -> int:
    """Run one command; ValueError and OSError carry one line, an interrupted run says how to go on.

    Returns:
        The exit status.
    """
    with quiet_lightning():
        try:
            DetectionCLI(command, expand(arguments) if command == "fit" else arguments)
        except SystemExit as stop:
            if command == "fit" and isinstance(stop.__context__, KeyboardInterrupt):
                print("lampyris fit: interrupted; continue with --ckpt_path last", file=sys.stderr)
                return INTERRUPTED
            return int(stop.code or 0)
        except MisconfigurationException as error:
            raise ValueError(str(error).splitlines()[0]) from error
    return 0
