"""What digits/params.py accepts and refuses, and in which words; what `-S` leaves of the file."""

import copy
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from dvc.utils.serialize import load_yaml
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from digits import keras_names, params, yaml12
from digits.datasets import PUBLISHED
from tools import describe

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "params.yaml").read_text()
# whatever the checkout is set to
USUAL = {"recipe": "original", "  dataset": "mnist", "    path": "data/own/README.md"}
for key, usual in USUAL.items():
    TEXT = re.sub(rf"^{key}: .*", f"{key}: {usual}", TEXT, flags=re.M)
PARAMS = yaml12.load(TEXT.encode())
RECIPE = "recipes.original"
LAYERS, NETWORK, OPTIMIZER = f"{RECIPE}.layers", f"{RECIPE}.network", f"{RECIPE}.optimizer"
CONV1, DENSE1, RATE = f"{LAYERS}.conv1", f"{LAYERS}.dense1", f"{OPTIMIZER}.learning_rate"
SPLIT, URL = f"{RECIPE}.validation_split", "datasets.url.base"
VIEWS = "evaluate.test_time_augmentation"
DELETED = "(deleted)"
TOLD = "one line names the parameter, what was expected and what was found"


def fault(what, outcome):
    return pytest.mark.fault("params.yaml", what, outcome)


INTEGER, NUMBER, MAPPING = (
    "expected a valid integer",
    "expected a valid number",
    "expected a mapping",
)
AT_LEAST_1 = "expected greater than or equal to 1"
DATASETS = "expected one of mnist, fashion_mnist, kmnist, synthetic, folder, url"
CLASSES = "expected one of the names in docs/params.md"
PADDINGS = "expected 'same' or 'valid' or a valid integer or a list"
ONE_RECIPE = f"expected one of {', '.join(PARAMS['recipes'])}"
THREADS = TEXT[: TEXT.index("\nthreads:")].count("\n") + 2  # its line
DPI = TEXT[: TEXT.index("  dpi:")].count("\n") + 1  # its line
NAMES = "expected a name of `layers`, or a Keras layer that needs no arguments"
*MOST, LAST = map(repr, keras_names.NAMES["activations"])
ACTIVATIONS = f"expected {', '.join(MOST)} or {LAST}"


def edited(*changes):
    """The committed values with each (dotted path, value) put in; DELETED takes the key out."""
    values = copy.deepcopy(PARAMS)
    for path, value in changes:
        *folders, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        place = values
        for key in folders:
            place = place[key]
        if value is DELETED:
            del place[last]
        else:
            place[last] = value
    return values


def case(path, value, *problems):
    """Parameters of a test: the change, and the lines it should give."""
    lines = [f"params.yaml: {path}: {problem}" for problem in problems]
    return pytest.param(path, value, lines, id=f"{path} = {value!r:.24}")


def like(word):
    return f"unknown key; did you mean {word!r}?"


UNHEEDED = "DVC's cache does not heed a key of this name"
UNKNOWN_KEY = [
    case("tread", 2, like("threads")),
    case("cafeteria", 2, "unknown key"),
    case("download.datset", "mnist", like("dataset")),
    case("datasets.mnist.train", 1, "unknown key"),
    case("datasets.folder.size", 64, like("image_size")),
    case(f"{LAYERS}.size", {"class": "ReLU"}, UNHEEDED),
    case(f"{CONV1}.size", 2, UNHEEDED),
    case(f"{RECIPE}.augment.rotatoin", 1, like("rotation")),
    case("plot.dpi_", 1, like("dpi")),
    case("datasets.synthetic.sed", 1, like("seed")),
    case("datasets.cifar", {}, "unknown key"),
    case("datasets.kmnst", {}, like("kmnist")),
    case("plot.dpii", 1, like("dpi")),
    case(f"{RECIPE}.epoch", 1, like("epochs")),
    case(f"{CONV1}.activaton", "relu", like("activation")),
    case(f"{LAYERS}.pool.kernel_size", 3, like("pool_size")),
    case(f"{OPTIMIZER}.rho", 0.9, "unknown key"),
    case(f"{OPTIMIZER}.learning_rat", 0.1, like("learning_rate")),
]


def test_the_size_of_upsampling_has_a_name_that_dvcs_cache_heeds() -> None:
    layer = {"class": "UpSampling2D", "size": 2}
    [refusal] = params.unheeded("up", layer)
    assert refusal.remark == f"{UNHEEDED}; write factor"


MISSING = [
    *[
        case(path, DELETED, "missing")
        for path in ["threads", "recipe", "train", "train.seed", "preprocess.train_size"]
    ],
    *[
        case(path, DELETED, "missing")
        for path in ["datasets.folder", OPTIMIZER, f"{CONV1}.filters"]
    ],
    *[
        case(path, DELETED, "missing")
        for path in [f"{OPTIMIZER}.class", f"{CONV1}.class", RATE, SPLIT]
    ],
    *[case(path, DELETED, "missing") for path in ["datasets", NETWORK]],
    case(f"{VIEWS}.fast", DELETED, "missing; 0: the test images as they are"),
    case(f"{RECIPE}.epochs", DELETED, "missing; or steps in its place"),
]
WRONG_TYPE = [
    case("threads", "2", f'{INTEGER}; found "2"'),
    case("threads", True, f"{INTEGER}; found true"),
    case("threads", 2.0, f"{INTEGER}; found 2.0"),
    case("threads", None, f"{INTEGER}; found null"),
    case("threads", [2], f"{INTEGER}; found [2]"),
    case("threads", {"a": 2}, f'{INTEGER}; found {{"a": 2}}'),
    case("train.seed", None, f"{INTEGER}; found null"),
    case("preprocess.train_size", "all", f'{INTEGER}; found "all"'),
    case("preprocess.train_size", True, f"{INTEGER}; found true"),
    case(f"{RECIPE}.epochs", 1.5, f"{INTEGER}; found 1.5"),
    case(SPLIT, "0.33", f'{NUMBER}; found "0.33"'),
    case(SPLIT, True, f"{NUMBER}; found true"),
    case(RATE, None, f"{NUMBER}; found null"),
    case(f"{CONV1}.kernel_size", "3", f'{INTEGER} or a list; found "3"'),
    case(f"{CONV1}.filters", "classes", f'{INTEGER}; found "classes"'),
    case(f"{CONV1}.use_bias", 1, "expected a valid boolean; found 1"),
    case("recipe", 3, "expected a valid string; found 3"),
    case("download.dataset", None, "expected a valid string; found null"),
    case("datasets.folder.path", None, "expected a valid string; found null"),
    case("plot", [1], f"{MAPPING}; found [1]"),
    case("train", None, f"{MAPPING}; found null"),
    case("download", "mnist", f'{MAPPING}; found "mnist"'),
    case("recipes", [], f"{MAPPING}; found []"),
    case(RECIPE, None, f"{MAPPING}; found null"),
    case(OPTIMIZER, "Adam", f'{MAPPING}; found "Adam"'),
    case(CONV1, "Conv2D", f'{MAPPING}; found "Conv2D"'),
]
OUT_OF_RANGE = [
    case("threads", 0, f"{AT_LEAST_1}; found 0"),
    case("threads", -1, f"{AT_LEAST_1}; found -1"),
    case("threads", float("inf"), f"{INTEGER}; found Infinity"),
    case("threads", 10**30, f"expected less than or equal to 256; found {10**30}"),
    case(f"{RECIPE}.batch_size", 2**31, f"expected less than 2147483648; found {2**31}"),
    case("datasets.synthetic.train", 10**12, f"expected less than 2147483648; found {10**12}"),
    case("preprocess.train_size", 0, f"{AT_LEAST_1}; found 0"),
    case(f"{RECIPE}.epochs", 0, f"{AT_LEAST_1}; found 0"),
    case("evaluate.calibration_bins", 0, f"{AT_LEAST_1}; found 0"),
    case("train.seed", -1, "expected greater than or equal to 0; found -1"),
    case("train.seed", 2**32, "expected less than 4294967296; found 4294967296"),
    case("plot.dpi", 29, "expected greater than or equal to 30; found 29"),
    case("plot.dpi", 601, "expected less than or equal to 600; found 601"),
    case(SPLIT, 1.0, "expected less than 1; found 1.0"),
    case(SPLIT, -0.1, "expected greater than or equal to 0; found -0.1"),
    case(SPLIT, float("nan"), "expected less than 1; found NaN"),
    case(RATE, 0.0, "expected greater than 0; found 0.0"),
    case(RATE, -0.001, "expected greater than 0; found -0.001"),
    case(RATE, float("nan"), "expected a finite number; found NaN"),
    case(RATE, float("inf"), "expected a finite number; found Infinity"),
    case(f"{CONV1}.strides", 0, f"{AT_LEAST_1} or a list; found 0"),
]
UNKNOWN_NAME = [
    case("recipe", "orignal", f"{ONE_RECIPE}; found 'orignal'; did you mean 'original'?"),
    case("recipe", "lenet", f"{ONE_RECIPE}; found 'lenet'"),
    case("download.dataset", "mnst", f"{DATASETS}; found 'mnst'; did you mean 'mnist'?"),
    case("download.dataset", "cifar10", f"{DATASETS}; found 'cifar10'"),
    case(f"{CONV1}.class", "Conv2d", f"{CLASSES}; found 'Conv2d'; did you mean 'Conv2D'?"),
    case(f"{CONV1}.class", "LSTM", f"{CLASSES}; found 'LSTM'"),
    case(
        f"{OPTIMIZER}.class",
        "adam",
        f"expected one of {', '.join(keras_names.OPTIMIZERS)}; found 'adam'; did you mean 'Adam'?",
    ),
    case(f"{CONV1}.padding", "full", f'{PADDINGS}; found "full"'),
    case(f"{CONV1}.activation", "reul", f'{ACTIVATIONS}; found "reul"'),
    case(f"{NETWORK}.1", "pol", f"{NAMES}; found 'pol'; did you mean 'pool'?"),
    case(f"{NETWORK}.2", "Relu", f"{NAMES}; found 'Relu'; did you mean 'ReLU'?"),
    case(f"{NETWORK}.2", "Dense", f"{NAMES}; found 'Dense'; did you mean 'dense2'?"),
    case(f"{VIEWS}.bst", 8, f"{ONE_RECIPE}; found 'bst'; did you mean 'best'?"),
    case(f"{NETWORK}.0", "conv0", f"{NAMES}; found 'conv0'; did you mean 'conv2'?"),
]
BAD_FORM = [
    case(NETWORK, [], "expected at least one entry; found []"),
    case("recipes", {}, "expected at least one entry; found {}"),
    case(URL, "ftp://example.org", "expected pattern '^https?://.'; found \"ftp://example.org\""),
    case(URL, "https://", "expected pattern '^https?://.'; found \"https://\""),
    case(URL, None, "expected a valid string; found null"),
    case("datasets.folder.path", "", 'expected at least one character; found ""'),
    case(f"{DENSE1}.units", 0, f"{AT_LEAST_1} or 'classes'; found 0"),
    case(f"{DENSE1}.kernel_initializer", "no", 'expected true or false; found "no"'),
    case(f"{CONV1}.kernel_size", [3], f"{INTEGER} or at least 2 entries; found [3]"),
    case(f"{CONV1}.kernel_size", [3, 3, 3], f"{INTEGER} or at most 2 entries; found [3, 3, 3]"),
    case(f"{DENSE1}.units", "clases", f"{INTEGER} or 'classes'; found \"clases\""),
    case(f"{RECIPE}.steps", 100, "expected epochs or steps, found both"),
    case(f"{DENSE1}.units", 1.5, f"{INTEGER} or 'classes'; found 1.5"),
]


@fault("an unknown or missing key, a wrong type, a number out of range, an unknown name", TOLD)
@pytest.mark.parametrize(
    "path, value, lines",
    [*UNKNOWN_KEY, *MISSING, *WRONG_TYPE, *OUT_OF_RANGE, *UNKNOWN_NAME, *BAD_FORM],
)
def test_one_mistake_is_told_in_these_words(path, value, lines):
    assert params.errors(edited((path, value))) == lines


def test_the_committed_values_are_accepted():
    assert params.errors(PARAMS) == []


MISTAKES = [
    ("threads", 0),
    ("plot.dpii", 1),
    (f"{CONV1}.filters", DELETED),
    (f"{CONV1}.filter", 16),
    (f"{RECIPE}.epochs", "5"),
    ("evaluate", DELETED),
]


@fault("several mistakes at once", "a line for each, in the order of their paths")
def test_several_mistakes_are_all_told_in_the_order_of_their_paths():
    assert params.errors(edited(*MISTAKES)) == [
        "params.yaml: evaluate: missing",
        "params.yaml: plot.dpii: unknown key; did you mean 'dpi'?",
        'params.yaml: recipes.original.epochs: expected a valid integer; found "5"',
        "params.yaml: recipes.original.layers.conv1.filter: unknown key; did you mean 'filters'?",
        "params.yaml: recipes.original.layers.conv1.filters: missing",
        "params.yaml: threads: expected greater than or equal to 1; found 0",
    ]


def reordered(values):
    return (
        {key: reordered(values[key]) for key in reversed(values)}
        if isinstance(values, dict)
        else values
    )


def test_every_recipe_says_how_many_views_it_has():
    told = [f"params.yaml: {VIEWS}.{recipe}: missing" for recipe in sorted(PARAMS["recipes"])]
    found = params.errors(edited((VIEWS, {})))
    assert [line.partition(";")[0] for line in found] == told


def test_reordered_keys_are_accepted():
    assert params.errors(reordered(PARAMS)) == []


def test_mistakes_among_reordered_keys_are_told_in_the_same_order():
    assert params.errors(reordered(edited(*MISTAKES))) == params.errors(edited(*MISTAKES))


@fault("a name that DVC or Keras could not use", TOLD)
@pytest.mark.parametrize("path", ["recipes.{}", f"{LAYERS}.{{}}"], ids=["recipe", "layer"])
@pytest.mark.parametrize("name", ["a/b", "a.b", ""], ids=str)
def test_a_name_that_dvc_or_keras_could_not_use_is_refused(path, name):
    values = edited((f"{NETWORK}.0", name)) if path.startswith(LAYERS) else edited(("recipe", name))
    entries = values["recipes"] if path == "recipes.{}" else values["recipes"]["original"]["layers"]
    entries[name] = entries.pop("original" if path == "recipes.{}" else "conv1")
    if path == "recipes.{}":
        views = values["evaluate"]["test_time_augmentation"]
        views[name] = views.pop("original")
    told = f"expected pattern '^[A-Za-z0-9_-]+$'; found {json.dumps(name)}"
    assert f"params.yaml: {path.format(name)}: {told}" in params.errors(values)


def paths(values, prefix=""):
    for key, value in values.items() if isinstance(values, dict) else enumerate(values):
        yield f"{prefix}{key}"
        if isinstance(value, dict | list):
            yield from paths(value, f"{prefix}{key}.")


WORDS = st.sampled_from(
    ["class", "Adam", "Conv2D", "classes", "original", "mnist", "seed", "layers", "filters"]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.binary()
    | st.text()
    | WORDS
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(WORDS, inner), max_leaves=5
)


@fault("a random value in a random place", "accepted, or each line names a parameter")
@pytest.mark.parametrize("examples", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_whatever_stands_in_a_place_each_line_names_a_path(record_property, examples):
    tried = []

    @seed(examples)
    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(st.sampled_from(sorted(paths(PARAMS))), ANYTHING)
    def test(path, value):
        tried.append(path)
        for line in params.errors(edited((path, value))):
            assert re.match(r"params\.yaml: [\w.]+: \S", line) and len(line.splitlines()) == 1

    test()
    record_property("cases", len(tried))


# From here on: the text of params.yaml, which has more ways to be wrong than its values.


def swapped(old, new):
    assert TEXT.count(old) == 1
    return TEXT.replace(old, new)


def told(tmp_path, monkeypatch, text):
    """What a stage says to params.yaml with that text."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SystemExit) as refusal:
        params.read()
    return str(refusal.value)


ALIASES = [f"&a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 7)]
CHAIN = [f"&a{n} [*a{n - 1}]" for n in range(1, 2000)]
UNREADABLE = [
    pytest.param(
        "- recipe\n", "expected sections such as 'recipe: original', found list", id="a list"
    ),
    pytest.param("", "expected sections such as 'recipe: original', found NoneType", id="empty"),
    pytest.param("mnist\n", "expected sections such as 'recipe: original', found str", id="a word"),
    pytest.param(
        "recipe: [\n", "expected YAML, found: while parsing a flow node", id="an open bracket"
    ),
    pytest.param(
        "recipe:\n\toriginal\n",
        "expected YAML, found: while scanning for the next token",
        id="a tab",
    ),
    pytest.param(
        "recipe: é\n".encode("latin-1"),
        "expected YAML, found: unacceptable character",
        id="Latin-1",
    ),
    pytest.param(
        swapped("threads: 1", "threads: 1\nthreads: 3"),
        "expected YAML, found: the key 'threads' stands twice in line ",
        id="a key twice",
    ),
    pytest.param(
        swapped("dpi: 100", "dpi: 100\n  dpi: 200"),
        f"expected YAML, found: the key 'dpi' stands twice in line {DPI + 1}, column 3",
        id="a nested key twice",
    ),
    pytest.param(
        TEXT + "---\na: 1\n", "expected YAML, found: expected a single document", id="two documents"
    ),
    pytest.param(
        swapped("threads: 1", "threads: !!python/object/apply:os.getcwd []"),
        "expected YAML, found: could not determine a constructor for the tag",
        id="code",
    ),
    pytest.param(
        swapped("threads: 1", "threads: 2024-02-01"),
        f'threads: {INTEGER}; found "2024-02-01"',
        id="a date",
    ),
    pytest.param(swapped("threads: 1", "threads: 1\n3: 3"), "3: ", id="a number as a key"),
    pytest.param(
        swapped("threads: 1", "threads: 1\n2024-02-01: 3"),
        r"datetime.date(2024, 2, 1): ",
        id="a date as a key",
    ),
    pytest.param(
        swapped("threads: 1", "threads: 2024-13-45"),
        "expected YAML, found: month must be in 1..12",
        id="no such date",
    ),
    pytest.param(
        swapped("threads: 1", f"threads: {'9' * 5000}"),
        "expected YAML, found: Exceeds the limit",
        id="5,000 digits",
    ),
    pytest.param(
        swapped("threads: 1", f"threads: {'[' * 1000}{']' * 1000}"),
        f"threads: {INTEGER}; found [[[",
        id="1,000 brackets",
    ),
    pytest.param(
        swapped("threads: 1", "threads: &all [*all]"),
        f"threads: {INTEGER}; found [[",
        id="a list inside itself",
    ),
    pytest.param(
        swapped("threads: 1", "threads: {[a, b]: 1}"),
        "expected YAML, found: while constructing a mapping in line",
        id="a list as a nested key",
    ),
    pytest.param(
        swapped("threads: 1", "threads: {2024-02-01: 1}"),
        f"threads: {INTEGER}; found {{",
        id="a date as a nested key",
    ),
    pytest.param(
        swapped("threads: 1", "threads: {[[a]]: 1}"),
        "expected YAML, found: while constructing a mapping in line",
        id="a list in a list as a nested key",
    ),
    pytest.param(
        swapped("threads: 1", 'threads: !!int ""'),
        "expected YAML, found: invalid literal for int()",
        id="an integer without digits",
    ),
    pytest.param(
        swapped("threads: 1", "threads: !!bool x"),
        "expected YAML, found: 'x'",
        id="no such boolean",
    ),
    pytest.param(
        swapped("threads: 1", r'threads: "\UFFFFFFFF"'),
        "expected YAML, found: while parsing a quoted scalar",
        id="no such character",
    ),
    pytest.param(
        swapped("threads: 1", f"threads: 0x{'f' * 5000}"),
        "expected YAML, found: Exceeds the limit",
        id="5,000 hexadecimal digits",
    ),
    pytest.param(
        TEXT + r'"\ud800": 1',
        "expected YAML, found: while parsing a quoted scalar",
        id="half a character as a key",
    ),
    pytest.param(
        TEXT.replace("  kmnist: {}", "  5: {}"), "datasets.5: expected text as a key", id="a number"
    ),
    pytest.param(TEXT + r'"a\nb": 1', r"a\nb: unknown key", id="two lines as a key"),
    pytest.param(
        swapped("threads: 1", f"threads: [&a0 [1], {', '.join(ALIASES)}]"),
        f"threads: {INTEGER}; found [[1], [[1], [1],",
        id="aliases that unfold to a million numbers",
    ),
    pytest.param(
        swapped("threads: 1", f"threads: [&a0 [1], {', '.join(CHAIN)}]"),
        f"threads: {INTEGER}; found [[1], [[1]],",
        id="aliases that unfold to 2,000 brackets",
    ),
]


@fault(
    "a text that is no YAML, or YAML that no stage could use",
    "one short line says what was expected and found",
)
@pytest.mark.parametrize("text, start", UNREADABLE)
def test_a_text_that_is_not_params_is_refused_in_one_line(tmp_path, monkeypatch, text, start):
    line = told(tmp_path, monkeypatch, text)
    assert re.sub(r"found in line \d+:", "found:", line).startswith(f"params.yaml: {start}")
    assert len(line.splitlines()) == 1 and len(line) < 1000


@pytest.mark.parametrize(
    "text, place",
    [
        ("train:\n  seed: 0\n threads: 1\n", 3),
        ("train:\n\tseed: 0\n", 2),
        ("a: 1\nrecipe: 'original\ntrain:\n  seed: 0\n", 2),
        ("a: 1\nrecipe: {seed: 0\ntrain:\n  seed: 0\n", 2),
        ("a: 1\nplot:\n  samples: 5\n  dpi:100\n  mistakes: 5\n", 4),
        ("a: 1\n---\nb: 1\n", 2),
    ],
    ids=["an indent", "a tab", "a quote", "a brace", "no space", "two documents"],
)
def test_the_line_of_a_mistake_in_yaml_comes_first(tmp_path, monkeypatch, text, place):
    line = told(tmp_path, monkeypatch, text)
    assert line.startswith(f"params.yaml: expected YAML, found in line {place}: ")


WORDS_OF_YAML = [
    "\n",
    "\n  ",
    "\t",
    "- ",
    "? ",
    ": ",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "<<: *a",
    "|",
    ">-",
    "'",
    '"',
    "#",
]
WORDS_OF_YAML += [
    "!!int ",
    "!!bool ",
    "!!binary ",
    "!!set ",
    "!!omap ",
    "!!x ",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "@",
    "`",
]
WORDS_OF_YAML += [
    ".nan",
    "-.inf",
    "0x",
    "1_0",
    "1:30",
    "2024-02-30",
    "null",
    "true",
    "~",
    "=",
    "\0",
    "\ufeff",
    "\u2028",
    "é",
]
PUT = st.sampled_from([word.encode() for word in WORDS_OF_YAML]) | st.binary(max_size=3)
EDITS = st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from([0, 0, 1, 4, 60, 9999]), PUT)


@pytest.mark.filterwarnings("ignore::ruamel.yaml.error.ReusedAnchorWarning")
@fault(
    "its text is damaged at random, in up to three places",
    "read as DVC reads it, or each line names the file",
)
@pytest.mark.parametrize("examples", [200, pytest.param(3000, marks=pytest.mark.slow)])
def test_a_damaged_text_is_read_as_dvc_reads_it_or_refused_in_lines(
    tmp_path, monkeypatch, record_property, examples
):
    monkeypatch.chdir(tmp_path)
    tried = []

    @seed(examples)
    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(st.lists(EDITS, min_size=1, max_size=3))
    def test(edits):
        data = TEXT.encode()
        for place, dropped, put in edits:
            at = int(place * len(data))
            data = data[:at] + put + data[at + dropped :]
        tried.append(data)
        Path("params.yaml").unlink(missing_ok=True)
        Path("params.yaml").write_bytes(data)
        try:
            values = params.read().model_dump(by_alias=True, exclude_unset=True)
        except SystemExit as refusal:
            lines = str(refusal).splitlines()
            assert lines and all(line.startswith("params.yaml: ") for line in lines)
        else:
            assert values == load_yaml("params.yaml")

    test()
    record_property("cases", len(tried))


@pytest.mark.parametrize("number", ["1e-3", "1.0e-3", "1E-3", ".001"])
def test_every_way_to_write_a_thousandth_is_a_number(number):
    text = swapped("learning_rate: 0.001\n", f"learning_rate: {number}\n")
    values = yaml12.load(text.encode())
    assert values == PARAMS and params.errors(values) == []


def test_a_stage_reads_what_dvc_compares(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(TEXT)
    read = params.read().model_dump(by_alias=True, exclude_unset=True)
    assert read == load_yaml("params.yaml")


def overridden(tmp_path, *overrides):
    """params.yaml as `dvc exp run -S ...` leaves it."""
    file = tmp_path / "params.yaml"
    file.write_text(TEXT)
    apply_overrides(file, list(overrides))
    return file.read_text()


def test_an_experiment_changes_nothing_but_its_values(tmp_path):
    """Every comment and every line stays: DVC breaks those in braces of more than 80 characters."""
    values = ["train.seed=7", f"{CONV1}.filters=32"]
    expected = TEXT.replace("seed: 0\n  validation", "seed: 7\n  validation")
    expected = expected.replace(
        "class: Conv2D\n        filters: 16\n", "class: Conv2D\n        filters: 32\n", 1
    )
    assert overridden(tmp_path, *values) == expected


def test_long_values_change_no_other_line(tmp_path):
    """As a search draws them."""
    drawn = ["optimizer.learning_rate=0.00123456789012345", "augment.shift=0.0123456789012345"]
    values = [f"recipes.{name}.{value}" for name in PARAMS["recipes"] for value in drawn]
    lines = zip(TEXT.splitlines(), overridden(tmp_path, *values).splitlines(), strict=True)
    assert sum(before != after for before, after in lines) == len(values)


def test_the_file_is_short_and_says_what_its_names_do_not():
    lines = TEXT.splitlines()
    assert max(map(len, lines)) <= 100
    # room for a longer value: DVC breaks a line in braces of more than 80 characters
    assert [line for line in lines if "{" in line and len(line.partition(" #")[0]) > 76] == []
    assert lines.index("  own: # for your own pictures: of any size, few or many") <= 290
    assert sum("#" in line for line in lines) >= 20


def test_each_published_data_set_may_be_chosen():
    assert set(PUBLISHED) == {name for name, values in PARAMS["datasets"].items() if values == {}}


@pytest.mark.parametrize(
    "override, value",
    [("1e-4", 1e-4), ("1e-7", 1e-7), ("2.5e-05", 2.5e-5), ("1", 1)],
    ids=lambda value: str(value),
)
def test_a_learning_rate_that_dvc_wrote_is_read_as_that_number(tmp_path, override, value):
    values = yaml12.load(overridden(tmp_path, f"{RATE}={override}").encode())
    assert values == edited((RATE, value)) and params.errors(values) == []


# From here on: the command, as DVC calls it, in a folder of its own.


@pytest.fixture
def command(tmp_path):
    def call(text=None):
        for package in ("stages", "digits"):
            shutil.copytree(ROOT / package, tmp_path / package)
        (tmp_path / "data/own/README.md").mkdir(parents=True)
        if text is not None:
            (tmp_path / "params.yaml").write_bytes(
                text if isinstance(text, bytes) else text.encode()
            )
        return validate(tmp_path)

    return call


def validate(folder):
    words = [sys.executable, "-E", "-m", "stages", "validate"]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True)


@fault(
    "a stage is started with it missing, no YAML, or wrong",
    "status 1, lines that name it; nothing is written",
)
@pytest.mark.parametrize(
    "text, message",
    [
        (None, "params.yaml: No such file or directory\n"),
        (
            swapped("threads: 1", "treads: 2"),
            "params.yaml: threads: missing\nparams.yaml: treads: unknown key",
        ),
        (
            swapped("threads: 1", "threads: 1\nthreads: 3"),
            f"params.yaml: expected YAML, found in line {THREADS + 1}: the key 'threads' stands ",
        ),
        (b"recipe: \xe9", "params.yaml: expected YAML, found: unacceptable character"),
        ("[]", "params.yaml: expected sections such as 'recipe: original', found list\n"),
    ],
    ids=["no file", "a misspelt key", "a key twice", "Latin-1", "a list"],
)
def test_the_command_refuses_with_status_1_and_writes_nothing(command, tmp_path, text, message):
    result = command(text)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(message) and "Traceback" not in result.stderr
    assert not (tmp_path / "reports").exists()


@fault("a path in it leads nowhere", TOLD)
def test_a_path_where_nothing_lies_is_refused_unless_dvc_can_bring_it(command, tmp_path):
    text = json.dumps(edited(("datasets.folder.path", "data/own/REAMDE.md")))
    result = command(text)
    expected = "params.yaml: datasets.folder.path: expected a file or a folder, found nothing at "
    assert result.stderr.startswith(f"{expected}data/own/REAMDE.md; did you mean 'README.md'? ")
    assert (result.returncode, (tmp_path / "reports").exists()) == (1, False)
    (tmp_path / "data/own.dvc").touch()
    assert validate(tmp_path).returncode == 0


def test_the_command_writes_a_schema_that_describes_every_key(command, tmp_path):
    assert command(TEXT).returncode == 0
    schema = json.loads((tmp_path / "reports/params.schema.json").read_text())
    assert schema["properties"].keys() == PARAMS.keys()
    for section in [schema, *schema["$defs"].values()]:
        for key, value in section.get("properties", {}).items():
            assert value.get("description"), f"{section['title']}.{key}"


def test_the_page_of_the_parameters_is_up_to_date():
    """`make describe` writes it."""
    assert (ROOT / "docs/params.md").read_text() == describe.page()


def test_a_key_that_may_be_left_out_is_then_none():
    """A default would be a hidden parameter, whose change would rerun no stage."""
    schema = params.Params.model_json_schema()
    for section in [schema, *schema["$defs"].values()]:
        defaults = [value.get("default") for value in section.get("properties", {}).values()]
        assert defaults == [None] * len(defaults)


def test_the_stage_needs_neither_tensorflow_nor_keras_nor_numpy():
    heavy = "{'tensorflow', 'keras', 'numpy'}"
    code = f"import sys; import stages.validate; print({heavy} & set(sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout == "set()\n"


def test_the_names_of_keras_are_up_to_date():
    """`make describe` writes them, from the signatures of the Keras that is installed."""
    assert describe.names() == keras_names.NAMES
    known = {key for each in keras_names.LAYERS.values() for key in each}
    known |= {key for each in keras_names.OPTIMIZERS.values() for key in each}
    assert set(keras_names.ARGUMENTS) <= known


def residual(**networks):
    return {"class": "Residual", **networks}


def test_layers_hold_layers_but_none_holds_itself():
    inner = (f"{LAYERS}.inner", residual(network=["conv1", "ReLU"], shortcut=["conv2"]))
    outer = (f"{LAYERS}.outer", residual(network=["inner", "inner"], merge="multiply"))
    assert params.errors(edited(inner, outer)) == []
    inner = (f"{LAYERS}.inner", residual(network=["conv1", "outer"]))
    told = params.errors(edited(inner, outer, (f"{LAYERS}.bad", residual(network=["conv9"]))))
    itself = "expected layers in it other than itself"
    assert told == [
        f"params.yaml: {LAYERS}.bad.network.0: {NAMES}; found 'conv9'; did you mean 'conv2'?",
        f"params.yaml: {LAYERS}.inner: {itself}",
        f"params.yaml: {LAYERS}.outer: {itself}",
    ]


def test_a_layer_that_no_network_names_is_no_mistake():
    assert params.errors(edited((NETWORK, ["Flatten", "dense2", "Softmax"]))) == []
