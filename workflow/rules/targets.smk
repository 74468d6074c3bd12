# Short names for what people ask for, and one sentence for what this study has not.

import contextlib
import difflib
import io

from live_curves import show_live
from progress import command_again, print_a_line_a_job
from snakemake.cli import parse_args
from snakemake.logging import logger

for figure in STUDY.figures:

    rule:
        name:
            figure
        input:
            [output.format(figure=figure) for output in rules.figure.output],
        message:
            f"The figure is in {RESULTS}/figures"


rule:
    name:
        "table-1"
    input:
        rules.table.output,
    message:
        f"The table is in {RESULTS}/tables"


def why_not(target):
    """Why there is no such target in this study, and what to write; None where there may be one."""
    name = Path(target).stem if target.startswith("results/") else target
    study = re.match("results/([^/]+)/", target)
    if study and study[1] != STUDY.name:
        if study[1] in CONFIG["studies"]:
            return f"is of another study than {STUDY.name}; write `snakemake --cores all --config study={study[1]} -- {target}`"
        return f"is of no study of config.yaml; there are {', '.join(CONFIG['studies'])}"
    if name in known_figures() and name not in STUDY.figures:
        if not shows_something(name, STUDY.runs):
            if declared_by(name)["READS"] != "settings" and not STUDY.with_network:
                return f"shows what needs a network, and the runs of the study {STUDY.name} are of features alone"
            if declared_by(name)["READS"] == "out_of_distribution":
                return f"shows data out of distribution, of which the study {STUDY.name} names none; write `out_of_distribution`"
            needed = declared_by(name).get("NEEDS")
            if needed is None:
                setting = "network.bottleneck" if declared_by(name)["READS"] == "codes" else "a setting"
                return f"shows what differs with {setting}, and the study {STUDY.name} varies none; give it a `grid` in config.yaml"
            return f"shows runs with loss {needed}, of which the study {STUDY.name} has none; add one under `runs` in config.yaml"
        if declared_by(name).get("NEEDS_LAYERS") and not STUDY.layers:
            return f"shows inner layers, which are not measured; write `layers: true` in the study {STUDY.name}"
        if not study:
            return f"is left out of the study {STUDY.name}; write `{RESULTS}/figures/{name}.pdf`, or take it out of `leave_out`"
    names = {"all", *LAYERS, *(rule.name for rule in workflow.rules)}  # the layers' own rules come after these
    if study or target in names or os.path.exists(target) or "/" in target:
        return None
    close = difflib.get_close_matches(target, names, n=1)
    hint = (
        f" (did you mean `{close[0]}`?)" if close else "; a layer, `report`, `table-1`, or a figure such as `figure-07`"
    )
    return f"is no target of the study {STUDY.name}{hint}"


# Snakemake itself tells targets from options only once it has read all of this. (Another workflow's are its own to know.)
again = "snakemake --cores all"
if workflow.is_main_process and Path(sys.argv[0]).name == "snakemake":
    with contextlib.redirect_stderr(io.StringIO()):  # it says once more which profile it reads
        asked = parse_args(sys.argv[1:])[1].targets
    again = command_again(sys.argv[1:], asked)
    for target in asked:
        if not IS_MODULE and (reason := why_not(target)):
            sys.exit(f"error: {target}: {reason}.")

if workflow.is_main_process and not LOOKS:
    print_a_line_a_job(logger, workflow.resource_settings.cores or workflow.resource_settings.nodes, again)
    if CONFIG["tensorboard"]:
        try:
            logs = Path(workflow.modifier.modify_path(LOGS))
            show_live([logs / "train", logs / "sweep"], logs / "tensorboard")
        except InputError as error:
            sys.exit(f"error: {error}")
