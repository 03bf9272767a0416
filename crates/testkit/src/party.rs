//! What people do, in words short enough for a test to read like a story.

use serde_json::{Value, json};
use types::service::Api;

use crate::Site;

/// A user who acts.
#[derive(Clone, Copy)]
pub struct Party<'a> {
    site: &'a Site,
    /// The user's name.
    pub name: &'a str,
    /// The user's token.
    pub token: &'a str,
}

/// A task that somebody created.
#[derive(Clone)]
pub struct Task<'a> {
    site: &'a Site,
    /// Its id.
    pub id: String,
    /// Its token.
    pub token: String,
    /// Its function.
    pub function: String,
}

impl<'a> Party<'a> {
    /// Somebody who says that this is their name and token.
    pub fn new(site: &'a Site, name: &'a str, token: &'a str) -> Self {
        Party { site, name, token }
    }

    /// Sends a request with this user's credentials, in a frame.
    pub async fn ask(&self, api: Api, mut document: Value) -> Value {
        document["user_id"] = json!(self.name);
        document["user_token"] = json!(self.token);
        self.site.framed(api, document).await
    }

    /// Puts a file; returns its id.
    pub async fn put(&self, content: &[u8]) -> String {
        self.site.put(self.name, self.token, content).await
    }

    /// Gets a file's content.
    pub async fn get(&self, file: &str) -> Vec<u8> {
        self.site.get(self.name, self.token, file).await
    }

    /// Asks for a file's record.
    pub async fn file(&self, file: &str) -> Value {
        self.ask(Api::TdfsExternal, json!({"type": "Get", "file_id": file})).await
    }

    /// Deletes a file.
    pub async fn delete(&self, file: &str) -> Value {
        self.ask(Api::TdfsExternal, json!({"type": "Delete", "file_id": file})).await
    }

    /// Says what tasks may do with a file; `null` is anything. Returns the answer, whatever it is.
    pub async fn restrict(&self, file: &str, policy: Value) -> Value {
        let mut set = json!({"type": "SetPolicy", "file_id": file});
        if !policy.is_null() {
            set["policy"] = policy;
        }
        self.ask(Api::TdfsExternal, set).await
    }

    /// Asks for a task to be created; returns the answer, whatever it is.
    pub async fn try_create(&self, function: &str, with: &[&str], files: &[&str]) -> Value {
        let create = json!({"type": "Create", "function_name": function, "collaborator_list": with, "files": files});
        self.ask(Api::TmsExternal, create).await
    }

    /// The same on these terms.
    pub async fn try_create_on(&self, function: &str, (with, files): (&[&str], &[&str]), terms: Value) -> Value {
        let create = json!({"type": "Create", "function_name": function, "collaborator_list": with, "files": files,
            "terms": terms});
        self.ask(Api::TmsExternal, create).await
    }

    /// Creates a task.
    pub async fn create(&self, function: &str, with: &[&str], files: &[&str]) -> Task<'a> {
        self.created(function, self.try_create(function, with, files).await)
    }

    /// Creates a task on these terms.
    pub async fn create_on(&self, function: &str, parties_and_files: (&[&str], &[&str]), terms: Value) -> Task<'a> {
        self.created(function, self.try_create_on(function, parties_and_files, terms).await)
    }

    fn created(&self, function: &str, created: Value) -> Task<'a> {
        let text = |field: &str| created[field].as_str().unwrap_or_else(|| panic!("created: {created}")).to_owned();
        Task { site: self.site, id: text("task_id"), token: text("task_token"), function: function.to_owned() }
    }

    /// Approves a task and brings files to it.
    pub async fn approve(&self, task: &Task<'_>, files: &[&str]) -> Value {
        self.ask(Api::TmsExternal, json!({"type": "Update", "task_id": task.id, "files": files})).await
    }

    /// Looks at a task; its `task_info`, or the error.
    pub async fn look(&self, task: &Task<'_>) -> Value {
        let found = self.ask(Api::TmsExternal, json!({"type": "Get", "task_id": task.id})).await;
        if found["type"] == "Get" { found["task_info"].clone() } else { found }
    }

    /// The contents of this user's own results of a task.
    pub async fn private_results(&self, task: &Task<'_>) -> Vec<Vec<u8>> {
        let mut contents = Vec::new();
        for id in texts(&self.look(task).await["user_private_result_file_id"]) {
            contents.push(self.get(&id).await);
        }
        contents
    }

    /// The ids in the one page of this user's list.
    pub async fn list(&self, api: Api) -> Vec<String> {
        texts(&self.ask(api, json!({"type": "List"})).await["list"])
    }
}

impl Task<'_> {
    /// The same task where the services stand now.
    pub fn at(self, site: &Site) -> Task<'_> {
        Task { site, id: self.id, token: self.token, function: self.function }
    }

    /// Runs the task.
    pub async fn invoke(&self, payload: Option<&str>) -> Value {
        self.site.framed(Api::FnsExternal, self.invocation(payload)).await
    }

    /// The document that runs the task.
    pub fn invocation(&self, payload: Option<&str>) -> Value {
        let mut invoke = json!({"task_id": self.id, "function_name": self.function, "task_token": self.token});
        if let Some(payload) = payload {
            invoke["payload"] = json!(payload);
        }
        invoke
    }

    /// What the tms tells function nodes.
    pub async fn inside(&self) -> Value {
        self.site.framed(Api::TmsInternal, json!({"type": "Get", "task_id": self.id})).await["task_info"].clone()
    }

    /// Where the task stands.
    pub async fn status(&self) -> String {
        self.inside().await["status"].as_str().unwrap_or("unknown").to_owned()
    }

    /// Moves the task on as a function node would; whether the tms agreed.
    pub async fn update(&self, status: Value, lease: Option<&str>) -> bool {
        let mut update = json!({"type": "Update", "task_id": self.id, "task_result_file_id": null,
            "output_files": [], "status": status});
        if let Some(lease) = lease {
            update["lease_id"] = json!(lease);
        }
        self.site.framed(Api::TmsInternal, update).await["success"] == json!(true)
    }

    /// Keeps a lease as a function node would; whether the tms agreed.
    pub async fn renew(&self, lease: &str) -> bool {
        let renew = json!({"type": "Renew", "task_id": self.id, "lease_id": lease});
        self.site.framed(Api::TmsInternal, renew).await["success"] == json!(true)
    }
}

/// The texts in a list.
pub fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap_or_else(|| panic!("a list, not {list}"));
    list.iter().map(|text| text.as_str().expect("text").to_owned()).collect()
}
