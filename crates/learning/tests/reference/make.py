"""Writes the data sets and the figures of an independent library that the tests beside it compare with.

Run once, with scikit-learn 1.9, numpy, pyarrow, pillow and onnx; what it writes is committed.
"""

import json
from pathlib import Path

import numpy as np
from sklearn import cluster, datasets, decomposition, ensemble, gaussian_process, linear_model, mixture
from sklearn import naive_bayes, neural_network, preprocessing, svm

here = Path(__file__).parent
expected = {}


def write(name, rows, header=None):
    lines = [",".join(header)] if header else []
    lines += [",".join(value if isinstance(value, str) else repr(float(value)) for value in row) for row in rows]
    (here / name).write_text("\n".join(lines) + "\n")


def digits(array, places=10):
    return np.round(np.asarray(array, dtype=float), places).tolist()


def tables():
    iris = datasets.load_iris()
    labels = [str(iris.target_names[target]) for target in iris.target]
    write("iris.csv", [[*row, label] for row, label in zip(iris.data, labels)])
    write("iris_rows.csv", iris.data)
    diabetes = datasets.load_diabetes(scaled=False)
    write("diabetes.csv", [[*row, y] for row, y in zip(diabetes.data, diabetes.target)], [*diabetes.feature_names, "progression"])
    write("diabetes_rows.csv", diabetes.data, diabetes.feature_names)
    cancer = datasets.load_breast_cancer()
    few = np.round(preprocessing.scale(cancer.data[:300, :6]), 6)
    write("cancer.csv", [[*row, y] for row, y in zip(few, cancer.target[:300])])
    write("cancer_rows.csv", few)
    blobs, _ = datasets.make_blobs(n_samples=200, centers=[[0, 0], [5, 5], [-5, 5]], cluster_std=[0.6, 0.9, 0.7], random_state=7)
    blobs = np.round(blobs, 6)
    write("blobs.csv", blobs)
    moons, _ = datasets.make_moons(n_samples=200, noise=0.06, random_state=3)
    moons = np.round(moons, 6)
    write("moons.csv", moons)
    x = np.round(np.random.default_rng(5).uniform(-3, 3, (40, 2)), 6)
    y = np.round(np.sin(x[:, 0]) + 0.5 * x[:, 1], 6)
    write("waves.csv", [[*row, value] for row, value in zip(x, y)])
    rows = np.round(np.random.default_rng(6).uniform(-3, 3, (15, 2)), 6)
    write("waves_rows.csv", rows)
    return (iris.data, np.array(labels)), (diabetes.data, diabetes.target), (few, cancer.target[:300]), blobs, moons, (x, y, rows)


def supervised(iris, diabetes, cancer):
    fitted = linear_model.LinearRegression().fit(*diabetes)
    expected["linear_regression"] = {
        "coefficients": digits(fitted.coef_), "intercept": float(fitted.intercept_),
        "r2": fitted.score(*diabetes), "predictions": digits(fitted.predict(diabetes[0])),
    }
    for name, data in [("logistic_two", cancer), ("logistic_three", iris)]:
        fitted = linear_model.LogisticRegression(C=1.0, tol=1e-10, max_iter=100000).fit(*data)
        expected[name] = {
            "coefficients": digits(fitted.coef_), "intercepts": digits(fitted.intercept_),
            "probabilities": digits(fitted.predict_proba(data[0])), "accuracy": fitted.score(*data),
        }
    fitted = naive_bayes.GaussianNB().fit(*iris)
    expected["naive_bayes"] = {
        "means": digits(fitted.theta_), "variances": digits(fitted.var_),
        "probabilities": digits(fitted.predict_proba(iris[0])), "accuracy": fitted.score(*iris),
    }
    for name, options in [("svm_rbf", {"kernel": "rbf"}), ("svm_linear", {"kernel": "linear"}),
                          ("svm_polynomial", {"kernel": "poly", "degree": 2, "gamma": 1.0, "coef0": 1.0})]:
        fitted = svm.SVC(C=1.0, tol=1e-8, **options).fit(*cancer)
        expected[name] = {
            "decisions": digits(fitted.decision_function(cancer[0])), "accuracy": fitted.score(*cancer),
            "support": int(fitted.n_support_.sum()),
        }
    fitted = svm.SVC(C=1.0, tol=1e-8).fit(*iris)
    expected["svm_three"] = {"labels": fitted.predict(iris[0]).tolist(), "accuracy": fitted.score(*iris)}
    for name, loss in [("gbdt_squared", "squared_error"), ("gbdt_absolute", "absolute_error")]:
        fitted = ensemble.GradientBoostingRegressor(loss=loss, n_estimators=30, random_state=0).fit(*diabetes)
        expected[name] = {"predictions": digits(fitted.predict(diabetes[0])), "r2": fitted.score(*diabetes)}
    fitted = ensemble.GradientBoostingRegressor(loss="absolute_error", n_estimators=1, learning_rate=1.0, random_state=0)
    expected["gbdt_absolute_once"] = {"predictions": digits(fitted.fit(*diabetes).predict(diabetes[0]))}
    for name, data in [("gbdt_two", cancer), ("gbdt_three", iris)]:
        fitted = ensemble.GradientBoostingClassifier(n_estimators=20, random_state=0).fit(*data)
        expected[name] = {"probabilities": digits(fitted.predict_proba(data[0])), "accuracy": fitted.score(*data)}


def networks(iris, diabetes):
    """A network's answers from its weights; and what training reaches."""
    scaler = preprocessing.StandardScaler().fit(iris[0])
    net = neural_network.MLPClassifier((8, 5), activation="tanh", max_iter=400, random_state=1).fit(scaler.transform(iris[0]), iris[1])
    layer = lambda weights, biases: {"weights": weights.T.tolist(), "biases": biases.tolist()}
    model = {
        "classes": net.classes_.tolist(), "activation": "tanh", "mean": scaler.mean_.tolist(), "scale": scaler.scale_.tolist(),
        "target_mean": 0.0, "target_scale": 1.0, "layers": [layer(w, b) for w, b in zip(net.coefs_, net.intercepts_)],
    }
    (here / "neural_net.json").write_text(json.dumps({"format": "teehouse/neural_net/1", "model": model}))
    expected["neural_net_predict"] = {"probabilities": digits(net.predict_proba(scaler.transform(iris[0])))}
    # Without hidden layers a network is a logistic regression: the loss is convex, and both end in one place.
    line = linear_model.LogisticRegression(C=1.0, tol=1e-10, max_iter=100000).fit(scaler.transform(iris[0]), iris[1])
    expected["neural_net_convex"] = {"probabilities": digits(line.predict_proba(scaler.transform(iris[0])))}
    expected["neural_net_train"] = {"accuracy": net.score(scaler.transform(iris[0]), iris[1])}
    scaled = preprocessing.scale(diabetes[0])
    targets = preprocessing.scale(diabetes[1])
    ridge = linear_model.Ridge(alpha=1.0).fit(scaled, targets)
    back = ridge.predict(scaled) * diabetes[1].std() + diabetes[1].mean()
    expected["neural_net_ridge"] = {"predictions": digits(back)}


def unsupervised(iris, blobs, moons, waves):
    fitted = cluster.KMeans(3, n_init=20, random_state=0, tol=1e-10).fit(blobs)
    order = sorted(range(3), key=lambda at: tuple(fitted.cluster_centers_[at]))
    rank = {old: new for new, old in enumerate(order)}
    expected["kmeans"] = {
        "centers": digits(fitted.cluster_centers_[order]), "inertia": float(fitted.inertia_),
        "labels": [rank[label] for label in fitted.labels_],
    }
    fitted = cluster.DBSCAN(eps=0.25, min_samples=5).fit(moons)
    expected["dbscan"] = {"labels": fitted.labels_.tolist()}
    fitted = cluster.DBSCAN(eps=0.1, min_samples=4).fit(moons)
    expected["dbscan_noise"] = {"labels": fitted.labels_.tolist()}
    fitted = mixture.GaussianMixture(3, tol=1e-10, max_iter=1000, random_state=0).fit(blobs)
    order = sorted(range(3), key=lambda at: tuple(fitted.means_[at]))
    expected["gaussian_mixture"] = {
        "weights": digits(fitted.weights_[order]), "means": digits(fitted.means_[order]),
        "covariances": digits(fitted.covariances_[order]),
        "labels": [order.index(label) for label in fitted.predict(blobs)],
    }
    x, y, rows = waves
    kernel = gaussian_process.kernels.ConstantKernel(1.5) * gaussian_process.kernels.RBF(1.2)
    fitted = gaussian_process.GaussianProcessRegressor(kernel, alpha=1e-3, optimizer=None).fit(x, y)
    mean, deviation = fitted.predict(rows, return_std=True)
    expected["gaussian_process"] = {
        "mean": digits(mean), "deviation": digits(deviation),
        "log_marginal_likelihood": float(fitted.log_marginal_likelihood_value_),
    }
    fitted = decomposition.PCA(2, svd_solver="full").fit(iris[0])
    components = fitted.components_ * np.sign([row[np.argmax(np.abs(row))] for row in fitted.components_])[:, None]
    expected["pca"] = {
        "components": digits(components), "explained_variance": digits(fitted.explained_variance_),
        "explained_variance_ratio": digits(fitted.explained_variance_ratio_),
        "scores": digits((iris[0] - fitted.mean_) @ components.T),
    }


def parquet(iris, diabetes):
    import pyarrow
    from pyarrow import parquet as writer

    names = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
    table = pyarrow.table({**dict(zip(names, iris[0].T)), "species": iris[1]})
    for compression in ["snappy", "none", "gzip"]:
        writer.write_table(table, here / f"iris_{compression}.parquet", compression=compression)
    few = pyarrow.table({"a": pyarrow.array([1, 2, 3], pyarrow.int32()), "b": pyarrow.array([0.5, None, 1.5]), "c": [True, False, True]})
    writer.write_table(few, here / "missing.parquet")
    nested = pyarrow.table({"a": [[1.0], [2.0]], "b": [1.0, 2.0]})
    writer.write_table(nested, here / "nested.parquet")
    names = [*datasets.load_diabetes().feature_names, "progression"]
    columns = dict(zip(names, [*diabetes[0].T, diabetes[1]]))
    writer.write_table(pyarrow.table(columns), here / "diabetes.parquet", data_page_version="2.0")


iris, diabetes, cancer, blobs, moons, waves = tables()
supervised(iris, diabetes, cancer)
networks(iris, diabetes)
unsupervised(iris, blobs, moons, waves)
parquet(iris, diabetes)
(here / "expected.json").write_text(json.dumps(expected))


def onnx_models(iris):
    """Two small models as their exporters write them, and what another runtime makes of them."""
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    draw = np.random.default_rng(11)
    tensor = lambda name, shape: numpy_helper.from_array((draw.standard_normal(shape) * 0.5).astype(np.float32), name)

    def save(name, nodes, tensors, shape, outputs):
        value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        graph = helper.make_graph(nodes, name, [value("x", shape)], [value(name, shape) for name, shape in outputs], tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        onnx.checker.check_model(model)
        (here / f"{name}.onnx").write_bytes(model.SerializeToString())
        return onnxruntime.InferenceSession(model.SerializeToString())

    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h1"], transB=1),
        helper.make_node("Relu", ["h1"], ["a1"]),
        helper.make_node("MatMul", ["a1", "w2"], ["h2"]),
        helper.make_node("Add", ["h2", "b2"], ["z"]),
        helper.make_node("Softmax", ["z"], ["p"], axis=1),
    ]
    tensors = [tensor("w1", (8, 4)), tensor("b1", (8,)), tensor("w2", (8, 3)), tensor("b2", (3,))]
    run = save("rows", nodes, tensors, ["N", 4], [("p", ["N", 3])])
    expected["onnx_rows"] = {"outputs": digits(run.run(None, {"x": iris[0].astype(np.float32)})[0], 7)}

    target = numpy_helper.from_array(np.array([1, -1], dtype=np.int64), "target")
    nodes = [
        helper.make_node("Conv", ["x", "k", "kb"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["c", "s", "b", "m", "v"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["q"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Reshape", ["q", "target"], ["f"]),
        helper.make_node("Gemm", ["f", "w", "wb"], ["z"]),
    ]
    variance = numpy_helper.from_array(np.full(4, 0.8, dtype=np.float32), "v")
    tensors = [tensor("k", (4, 3, 3, 3)), tensor("kb", (4,)), tensor("s", (4,)), tensor("b", (4,)), tensor("m", (4,)), variance,
               target, tensor("w", (64, 2)), tensor("wb", (2,))]
    run = save("picture", nodes, tensors, [1, 3, 8, 8], [("z", [1, 2])])
    from PIL import Image

    samples = draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(samples).save(here / "picture.png")
    scaled = (samples.astype(np.float32) / 255).transpose(2, 0, 1)[None]
    expected["onnx_picture"] = {"outputs": digits(run.run(None, {"x": scaled})[0], 6)}

    save("hostile_outer", [helper.make_node("Add", ["r", "c"], ["g"]), helper.make_node("ReduceSum", ["g"], ["s"], keepdims=0),
                           helper.make_node("Add", ["x", "s"], ["y"])],
         [tensor("r", (2000, 1)), tensor("c", (1, 2000))], ["N", 4], [("y", ["N", 4])])
    fill = helper.make_node("ConstantOfShape", ["huge"], ["g"])
    huge = numpy_helper.from_array(np.array([1 << 20, 1 << 20], dtype=np.int64), "huge")
    graph = helper.make_graph([fill, helper.make_node("ReduceSum", ["g"], ["s"], keepdims=0), helper.make_node("Add", ["x", "s"], ["y"])],
                              "fill", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])], [huge])
    (here / "hostile_fill.onnx").write_bytes(helper.make_model(graph).SerializeToString())
    cycle = helper.make_graph([helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])],
                              "cycle", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
                              [helper.make_tensor_value_info("b", TensorProto.FLOAT, ["N", 4])])
    (here / "hostile_cycle.onnx").write_bytes(helper.make_model(cycle).SerializeToString())
    outside = tensor("w", (4, 3))
    outside.ClearField("raw_data")
    outside.data_location = TensorProto.EXTERNAL
    outside.external_data.add(key="location", value="secret.txt")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "outside",
                              [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 3])], [outside])
    (here / "hostile_outside.onnx").write_bytes(helper.make_model(graph).SerializeToString())


def pictures():
    """An image, and what another library makes of it in other sizes."""
    from PIL import Image

    across, down = np.meshgrid(np.linspace(0, 1, 60), np.linspace(0, 1, 40))
    samples = np.stack([255 * across, 255 * down, 127 + 127 * np.sin(9 * across * down)], axis=2).round().astype(np.uint8)
    image = Image.fromarray(samples)
    image.save(here / "photo.png")
    image.save(here / "photo.jpg", quality=90)
    filters = {"Triangle": Image.Resampling.BILINEAR, "CatmullRom": Image.Resampling.BICUBIC, "Lanczos3": Image.Resampling.LANCZOS}
    for name, size in [("small", (24, 16)), ("large", (90, 50))]:
        for filter, theirs in filters.items():
            image.resize(size, theirs).save(here / f"photo_{name}_{filter}.png")


onnx_models(iris)
pictures()
(here / "expected.json").write_text(json.dumps(expected))
