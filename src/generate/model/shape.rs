//! What is known of a model before it is written.

use anyhow::{Result, ensure};

use crate::generate::{
    changes::fill,
    fields::{Field, Kind},
    names::{Name, capitalized},
    product::{Product, Target},
    taken,
};

/// What PostgreSQL allows for the name of an index.
const MAX_IDENTIFIER: usize = 63;

/// Types of two words or more that the files of a model name.
const TYPES: &str = "ActiveModel ActiveModelBehavior AdminModel ApiEnum ApiError ApiKey AppState DateTime DateTimeUtc \
                     DeriveActiveEnum DeriveEntityModel EnumIter FromFields IfMatch IfNoneMatch ListOut ListQuery \
                     ModelTrait NoContent OnConstraint OpenApiRouter PathId PrimaryKey ToSchema";

/// A model that is about to be generated.
pub(super) struct Model {
    pub(super) krate: String,
    pub(super) app: String,
    pub(super) name: Name,
    pub(super) plural: Name,
    pub(super) columns: Vec<Column>,
    /// What distinguishes the files of a second model in an app: `comment_` of `src/tickets/comment_api.rs`.
    pub(super) prefix: String,
}

/// A field, and the model that it refers to.
pub(super) struct Column {
    pub(super) field: Field,
    pub(super) target: Option<Target>,
}

impl Model {
    pub(super) fn new(
        product: &Product,
        app: Name,
        name: Name,
        plural: Name,
        fields: Vec<Field>,
        has_api: bool,
    ) -> Result<Self> {
        let word = name.snake().to_owned();
        ensure!(
            name != plural,
            "the plural of {word:?} is the same word; name it with --plural"
        );
        let same = fields.iter().any(|field| field.column() == word);
        ensure!(
            !same,
            "the field {word} can't have the name of the model; call it something else"
        );
        let mut model = Self {
            krate: product.krate.clone(),
            app: app.snake().to_owned(),
            prefix: if has_api { format!("{word}_") } else { String::new() },
            name,
            plural,
            columns: vec![],
        };
        let index = |field: &Field| format!("{}_{}_idx", model.plural.snake(), field.column());
        let long = fields.iter().find(|field| index(field).len() > MAX_IDENTIFIER);
        ensure!(
            long.is_none(),
            "{word} and its fields have names too long for those of indexes; shorten them"
        );
        let columns = fields.into_iter().map(|field| Column::of(field, &model, product));
        model.columns = columns.collect::<Result<_>>()?;
        Ok(model)
    }

    /// For a reference to another row of the same table.
    fn as_target(&self) -> Target {
        Target {
            app: self.app.clone(),
            module: self.name.snake().to_owned(),
            table: self.plural.snake().to_owned(),
            has_test: false,
        }
    }

    pub(super) fn path(&self, file: &str) -> String {
        format!("src/{}/{file}.rs", self.app)
    }

    /// The placeholders that all templates share.
    pub(super) fn fill(&self, template: &str, more: &[(&str, &str)]) -> String {
        let values = [
            ("crate", self.krate.as_str()),
            ("app", &self.app),
            ("prefix", &self.prefix),
            ("name", self.name.snake()),
            ("Name", &self.name.pascal()),
            ("words", &self.name.words()),
            ("a_words", &self.name.with_article()),
            ("A_words", &capitalized(&self.name.with_article())),
            ("a_name", &self.name.with_article().replace(' ', "_")),
            ("plural", self.plural.snake()),
            ("path", &self.path_in_api()),
            ("Plural", &self.plural.pascal()),
            ("plural_words", &self.plural.words()),
            ("Plural_words", &self.plural.sentence()),
        ];
        fill(&fill(template, more), &values)
    }

    /// `/support-tickets`
    pub(super) fn path_in_api(&self) -> String {
        format!("/{}", self.plural.snake().replace('_', "-"))
    }

    /// The first column of such a kind.
    pub(super) fn first(&self, wanted: impl Fn(&Kind) -> bool) -> Option<&Column> {
        self.columns.iter().find(|column| wanted(&column.field.kind))
    }

    /// This text if there is a column of such a kind, and nothing otherwise.
    pub(super) fn if_any<'a>(&self, wanted: impl Fn(&Kind) -> bool, text: &'a str) -> &'a str {
        if self.first(wanted).is_some() { text } else { "" }
    }

    /// The enums of its columns, each after a comma: `, TicketState`.
    pub(super) fn enums(&self) -> String {
        self.columns(|column| match column.field.kind {
            Kind::Enum(_) => format!(", {}", self.enum_of(column)),
            _ => String::new(),
        })
    }

    /// `TicketState` of the field `state` of a ticket.
    pub(super) fn enum_of(&self, column: &Column) -> String {
        format!("{}{}", self.name.pascal(), column.variant())
    }

    /// Refuses a field whose enum would have the name of another type: `out` of a ticket, `state` of an app.
    pub(super) fn check_enums(&self) -> Result<()> {
        let (model, own) = (self.name.snake(), self.types());
        let enums = self
            .columns
            .iter()
            .filter(|column| matches!(column.field.kind, Kind::Enum(_)));
        for column in enums {
            let (field, name) = (column.name(), self.enum_of(column));
            let is_taken = TYPES.split_whitespace().any(|other| other == name) || own.contains(&name);
            ensure!(
                !is_taken,
                "`{field}` can't be an enum of {model}: its type would be {name}, a name that the code around it \
                 has; use another, such as {field}_kind"
            );
            taken::check_schemas("an enum of this model", &field, &[name])?;
        }
        Ok(())
    }

    /// The types of its own API.
    fn types(&self) -> [String; 5] {
        let (name, plural) = (self.name.pascal(), self.plural.pascal());
        [
            format!("{name}Out"),
            format!("New{name}In"),
            format!("{name}PatchIn"),
            format!("{plural}Read"),
            format!("{plural}Write"),
        ]
    }

    /// A line for each column.
    pub(super) fn columns(&self, line: impl Fn(&Column) -> String) -> String {
        self.columns.iter().map(line).collect()
    }
}

impl Column {
    fn of(field: Field, model: &Model, product: &Product) -> Result<Self> {
        let target = match &field.kind {
            Kind::Model(name) if *name == model.name => Some(model.as_target()),
            Kind::Model(name) => Some(product.model(name)?),
            _ => None,
        };
        Ok(Self { field, target })
    }

    /// The column, and the field of the entity.
    pub(super) fn name(&self) -> String {
        self.field.column()
    }

    /// What it refers to, such as `user`; empty if it doesn't.
    pub(super) fn noun(&self) -> String {
        match &self.field.kind {
            Kind::User => "user".to_owned(),
            Kind::Model(name) => name.words(),
            _ => String::new(),
        }
    }

    /// The admin model that it refers to.
    pub(super) fn parent(&self) -> String {
        let target = self.target.as_ref();
        target.map_or_else(
            || "Users".to_owned(),
            |target| format!("crate::{}::{}::Entity", target.app, target.module),
        )
    }

    /// The column's variant in SeaORM's enum: `DueAt`.
    pub(super) fn variant(&self) -> String {
        let words = self.name();
        let words = words.split('_').map(capitalized);
        words.collect()
    }
}
