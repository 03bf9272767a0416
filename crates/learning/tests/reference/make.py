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
