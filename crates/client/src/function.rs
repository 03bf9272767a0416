//! A user's verbs for functions.

use types::function::{Declaration, FunctionRef};
use types::id::FileId;
use types::user::UserId;
use types::wire::tms_external::{
    DisableFunction, FunctionDetails, FunctionList, GetFunction, ListFunctions, RegisterFunction, Response,
};

use crate::{RequestError, Teehouse};

/// Something that could not be done with a function.
#[derive(Debug, thiserror::Error)]
pub enum FunctionError {
    /// Registering one.
    #[error("function `{name}` was not registered")]
    Register {
        /// Its name.
        name: String,
        /// Why.
        source: RequestError,
    },
    /// Looking at one.
    #[error("function `{name}` can't be shown")]
    Show {
        /// Its name.
        name: String,
        /// Why.
        source: RequestError,
    },
    /// Taking one out of use.
    #[error("function `{name}` was not disabled")]
    Disable {
        /// Its name.
        name: String,
        /// Why.
        source: RequestError,
    },
    /// Listing them.
    #[error("functions can't be listed")]
    List(#[source] RequestError),
}

impl FunctionError {
    /// The request behind it that brought no answer.
    pub fn request(&self) -> &RequestError {
        match self {
            FunctionError::Register { source, .. }
            | FunctionError::Show { source, .. }
            | FunctionError::Disable { source, .. }
            | FunctionError::List(source) => source,
        }
    }
}

/// A function as its author registers it.
#[derive(Clone, Debug)]
pub struct NewFunction {
    /// Its name: 1 to 64 lower-case letters, digits and `_`.
    pub name: String,
    /// The file that holds its code, put before.
    pub code: FileId,
    /// What it takes and gives.
    pub declaration: Declaration,
    /// One line for people who choose a function.
    pub summary: String,
    /// JSON Schemas of payload, inputs, outputs and result, by name, as one JSON text, or nothing.
    pub schema: String,
    /// Whether everybody may use it.
    pub public: bool,
    /// Who else may use it.
    pub allow: Vec<UserId>,
}

impl Teehouse {
    /// Registers a new version of a function of the user's.
    ///
    /// # Errors
    /// When the name is taken, the declaration makes no sense, or the code is not a file of the user's.
    pub async fn register_function(&self, new: NewFunction) -> Result<FunctionRef, FunctionError> {
        let name = new.name.clone();
        let request = RegisterFunction {
            function_name: new.name,
            file_id: new.code,
            declaration: new.declaration,
            summary: new.summary,
            schema: new.schema,
            public: new.public,
            allow: new.allow,
            user_id: self.user.clone(),
            user_token: self.token.clone(),
        };
        match self.tms.call(request).await {
            Ok(Response::RegisterFunction(registered)) => Ok(registered.function),
            other => Err(FunctionError::Register { name, source: RequestError::of(other) }),
        }
    }

    /// Everything about a function but its code.
    ///
    /// # Errors
    /// When there is none of this name that the user may use.
    pub async fn function(&self, name: &str) -> Result<FunctionDetails, FunctionError> {
        let request =
            GetFunction { function_name: name.to_owned(), user_id: self.user.clone(), user_token: self.token.clone() };
        match self.tms.call(request).await {
            Ok(Response::GetFunction(found)) => Ok(found.function_info),
            other => Err(FunctionError::Show { name: name.to_owned(), source: RequestError::of(other) }),
        }
    }

    /// One page of the functions that the user may use, by name.
    ///
    /// # Errors
    /// When the cursor is none, or the server can't be asked.
    pub async fn functions(&self, cursor: Option<String>) -> Result<FunctionList, FunctionError> {
        let request = ListFunctions { user_id: self.user.clone(), user_token: self.token.clone(), limit: None, cursor };
        match self.tms.call(request).await {
            Ok(Response::ListFunctions(list)) => Ok(list),
            other => Err(FunctionError::List(RequestError::of(other))),
        }
    }

    /// Takes a version of a function of the user's, or all of them, out of use; which ones are so now.
    ///
    /// # Errors
    /// When it is not the user's, or is not there.
    pub async fn disable_function(&self, name: &str) -> Result<Vec<u32>, FunctionError> {
        let request = DisableFunction {
            function_name: name.to_owned(),
            user_id: self.user.clone(),
            user_token: self.token.clone(),
        };
        match self.tms.call(request).await {
            Ok(Response::DisableFunction(disabled)) => Ok(disabled.versions),
            other => Err(FunctionError::Disable { name: name.to_owned(), source: RequestError::of(other) }),
        }
    }
}
