//! Functions that learn from labels, and apply what they learned.

use executor::Output;
use serde_json::Value;

use crate::figures::{Left, call, close, expected, file, numbers, train_and_predict};

const ROWS: Output = Output::Owner(1);

fn model(trained: &Left) -> Value {
    let model: Value = serde_json::from_slice(trained.output(Output::Creator)).unwrap();
    model["model"].clone()
}

/// The columns after the prediction.
fn scores(predicted: &Left) -> Vec<f64> {
    predicted
        .rows(ROWS)
        .iter()
        .flat_map(|row| row[1..].iter().map(|score| score.parse().unwrap()).collect::<Vec<f64>>())
        .collect()
}

fn check_probabilities(name: &str, payload: &str, table: &str, rows: &str, of: &str, tolerance: f64) -> (Left, Left) {
    let (trained, predicted) = train_and_predict(name, payload, table, rows);
    close(&scores(&predicted), &numbers(&expected(of, "probabilities")), tolerance);
    close(&[trained.result["accuracy"].as_f64().unwrap()], &[expected(of, "accuracy").as_f64().unwrap()], 1e-12);
    (trained, predicted)
}

/// A closed form: what rounding leaves of a matrix with a condition of some 10⁴.
#[test]
fn linear_regression() {
    let (trained, predicted) = train_and_predict("linear_regression", "{}", "diabetes.csv", "diabetes_rows.csv");
    let model = model(&trained);
    close(&numbers(&model["coefficients"]), &numbers(&expected("linear_regression", "coefficients")), 1e-8);
    close(&numbers(&model["intercept"]), &numbers(&expected("linear_regression", "intercept")), 1e-8);
    close(&[trained.result["r2"].as_f64().unwrap()], &[expected("linear_regression", "r2").as_f64().unwrap()], 1e-9);
    close(&predicted.column(ROWS, 0), &numbers(&expected("linear_regression", "predictions")), 1e-8);
}

/// The loss is convex; both stop by the gradient, ours at 10⁻⁶ of it.
#[test]
fn logistic_regression() {
    let (trained, _) =
        check_probabilities("logistic_regression", "{}", "cancer.csv", "cancer_rows.csv", "logistic_two", 1e-5);
    close(&numbers(&model(&trained)["coefficients"]), &numbers(&expected("logistic_two", "coefficients")), 1e-5);
    close(&numbers(&model(&trained)["intercepts"]), &numbers(&expected("logistic_two", "intercepts")), 1e-5);
    let payload = r#"{"max_iterations":1000}"#;
    let (trained, _) =
        check_probabilities("logistic_regression", payload, "iris.csv", "iris_rows.csv", "logistic_three", 1e-5);
    close(&numbers(&model(&trained)["coefficients"]), &numbers(&expected("logistic_three", "coefficients")), 1e-4);
}

/// A closed form.
#[test]
fn naive_bayes() {
    let (trained, predicted) =
        check_probabilities("naive_bayes", "{}", "iris.csv", "iris_rows.csv", "naive_bayes", 1e-9);
    close(&numbers(&model(&trained)["means"]), &numbers(&expected("naive_bayes", "means")), 1e-9);
    close(&numbers(&model(&trained)["variances"]), &numbers(&expected("naive_bayes", "variances")), 1e-9);
    assert_eq!(predicted.rows(ROWS)[0][0], "setosa");
    assert_eq!(predicted.rows(ROWS)[149][0], "virginica");
}

/// The dual is convex and the decision function unique; both solvers stop where the conditions hold to 10⁻⁸.
#[test]
fn svm() {
    for (of, payload) in [
        ("svm_rbf", r#"{"tolerance":1e-8}"#),
        ("svm_linear", r#"{"kernel":"linear","tolerance":1e-8}"#),
        ("svm_polynomial", r#"{"kernel":"polynomial","degree":2,"coef0":1,"tolerance":1e-8}"#),
    ] {
        let (trained, predicted) = train_and_predict("svm", payload, "cancer.csv", "cancer_rows.csv");
        // The reference's decision is positive for the second class, ours for the first; the votes hold half of it.
        let decisions = numbers(&expected(of, "decisions"));
        let machine = &model(&trained)["machines"][0];
        assert_eq!(
            machine["vectors"].as_array().unwrap().len() as u64,
            expected(of, "support").as_u64().unwrap(),
            "{of}"
        );
        let votes = predicted.column(ROWS, 1);
        let of_decision =
            |decision: &f64| f64::from(u8::from(*decision < 0.0)) - decision / (3.0 * (decision.abs() + 1.0));
        close(&votes, &decisions.iter().map(of_decision).collect::<Vec<f64>>(), 1e-5);
        close(&[trained.result["accuracy"].as_f64().unwrap()], &[expected(of, "accuracy").as_f64().unwrap()], 1e-12);
    }
    let (trained, predicted) = train_and_predict("svm", r#"{"tolerance":1e-8}"#, "iris.csv", "iris_rows.csv");
    let labels: Vec<String> = predicted.rows(ROWS).iter().map(|row| row[0].clone()).collect();
    assert_eq!(serde_json::to_value(labels).unwrap(), expected("svm_three", "labels"));
    close(
        &[trained.result["accuracy"].as_f64().unwrap()],
        &[expected("svm_three", "accuracy").as_f64().unwrap()],
        1e-12,
    );
}

/// Greedy trees are the same where no two splits are equally good, and leaves are closed forms.
#[test]
fn gbdt() {
    for (of, payload) in [
        ("gbdt_squared", r#"{"n_estimators":30}"#),
        ("gbdt_absolute_once", r#"{"loss":"absolute_error","iterations":1,"shrinkage":1}"#),
    ] {
        let (_, predicted) = train_and_predict("gbdt", payload, "diabetes.csv", "diabetes_rows.csv");
        close(&predicted.column(ROWS, 0), &numbers(&expected(of, "predictions")), 1e-9);
    }
    // Trees that are grown on signs have many splits that are equally good, so later ones differ, and the fit does not.
    let trained = call("gbdt_train", r#"{"loss":"LAD","n_estimators":30}"#, &[file("diabetes.csv")]);
    close(&numbers(&trained.result["r2"]), &numbers(&expected("gbdt_absolute", "r2")), 0.02);
    for (of, table, rows) in
        [("gbdt_two", "cancer.csv", "cancer_rows.csv"), ("gbdt_three", "iris.csv", "iris_rows.csv")]
    {
        let payload = r#"{"loss":"log_loss","n_estimators":20}"#;
        let (trained, predicted) = train_and_predict("gbdt", payload, table, rows);
        close(&scores(&predicted), &numbers(&expected(of, "probabilities")), 1e-9);
        close(&[trained.result["accuracy"].as_f64().unwrap()], &[expected(of, "accuracy").as_f64().unwrap()], 1e-9);
    }
}

#[test]
fn gbdt_on_samples_learns_too_and_repeats_itself() {
    let payload = r#"{"subsample":0.6,"max_features":0.5,"seed":3,"n_estimators":60,"learning_rate":0.1}"#;
    let (trained, predicted) = train_and_predict("gbdt", payload, "diabetes.csv", "diabetes_rows.csv");
    // The reference without samples reaches 0.6 with half as many trees.
    assert!(trained.result["r2"].as_f64().unwrap() > 0.6, "{}", trained.result);
    let (_, again) = train_and_predict("gbdt", payload, "diabetes.csv", "diabetes_rows.csv");
    assert_eq!(predicted.output(ROWS), again.output(ROWS));
    let (_, other) = train_and_predict("gbdt", &payload.replace('3', "4"), "diabetes.csv", "diabetes_rows.csv");
    assert_ne!(predicted.output(ROWS), other.output(ROWS));
}

/// The reference's own weights in our format: arithmetic alone.
#[test]
fn neural_net_predict() {
    let predicted = call("neural_net_predict", "{}", &[file("neural_net.json"), file("iris_rows.csv")]);
    close(&scores(&predicted), &numbers(&expected("neural_net_predict", "probabilities")), 1e-9);
}

/// Without hidden layers the loss is convex, and the reference is a logistic or a ridge regression; Adam in whole
/// batches comes near its minimum, not to it.
#[test]
fn neural_net_where_its_loss_is_convex() {
    let payload = r#"{"hidden_layers":[],"alpha":1,"batch_size":150,"epochs":3000,"learning_rate":0.01}"#;
    let (_, predicted) = train_and_predict("neural_net", payload, "iris.csv", "iris_rows.csv");
    close(&scores(&predicted), &numbers(&expected("neural_net_convex", "probabilities")), 1e-3);
    let payload =
        r#"{"task":"regression","hidden_layers":[],"alpha":1,"batch_size":442,"epochs":3000,"learning_rate":0.01}"#;
    let (_, predicted) = train_and_predict("neural_net", payload, "diabetes.csv", "diabetes_rows.csv");
    close(&predicted.column(ROWS, 0), &numbers(&expected("neural_net_ridge", "predictions")), 1e-2);
}

#[test]
fn neural_net_with_hidden_layers_learns_as_well_as_the_reference() {
    let payload = r#"{"hidden_layers":[8,5],"activation":"tanh","epochs":300,"learning_rate":0.01}"#;
    let (trained, again) = train_and_predict("neural_net", payload, "iris.csv", "iris_rows.csv");
    let reached = trained.result["accuracy"].as_f64().unwrap();
    let reference = expected("neural_net_train", "accuracy").as_f64().unwrap();
    assert!(reached >= reference - 0.02, "{reached} and {reference}");
    let (_, predicted) = train_and_predict("neural_net", payload, "iris.csv", "iris_rows.csv");
    assert_eq!(again.output(ROWS), predicted.output(ROWS));
}

/// Rows of several owners are one table, in their order; Parquet is CSV by another name.
#[test]
fn tables_may_come_in_parts_and_in_parquet() {
    let whole = call("naive_bayes_train", "{}", &[file("iris.csv")]);
    let text = String::from_utf8(file("iris.csv")).unwrap();
    let (first, second) = text.split_at(text.match_indices('\n').nth(70).unwrap().0 + 1);
    let parts = call("naive_bayes_train", "{}", &[first.into(), second.into()]);
    assert_eq!(whole.output(Output::Creator), parts.output(Output::Creator));
    for name in ["iris_snappy.parquet", "iris_none.parquet"] {
        let parquet = call("naive_bayes_train", r#"{"label_column":"species"}"#, &[file(name)]);
        assert_eq!(whole.output(Output::Creator), parquet.output(Output::Creator), "{name}");
    }
    let csv = call("linear_regression_train", "{}", &[file("diabetes.csv")]);
    let parquet = call("linear_regression_train", "{}", &[file("diabetes.parquet")]);
    assert_eq!(csv.output(Output::Creator), parquet.output(Output::Creator));
}
