//! `#[derive(Listed)]`, by which the struct that clients see of a row says how rows are read, sorted and filtered.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Error, Ident, LitStr, Path, Type};

use crate::attributes::{api, beside, comment, fields, names, options, pascal};

/// What `#[listed(…)]` says on the struct.
#[derive(Default)]
struct List {
    entity: Option<Path>,
    sorts: Vec<Ident>,
    unique: Vec<Ident>,
    filters: Vec<Ident>,
    default_sort: Option<LitStr>,
    visible: Option<Path>,
}

/// A field, and where its value comes from.
struct Column<'i> {
    name: &'i Ident,
    about: String,
    kind: &'i Type,
    /// Columns by the names of the model's fields; none where it is skipped.
    from: Vec<Ident>,
    with: Option<Path>,
}

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream, Error> {
    let (api, row) = (api()?, &input.ident);
    let list = List::of(input)?;
    let entity = list.entity.as_ref();
    let entity = entity.ok_or_else(|| Error::new_spanned(row, "name the entity: #[listed(entity = …)]"))?;
    let columns = columns(input)?;
    let column = |name: &Ident| {
        let name = pascal(name);
        quote!(<<#entity as #api::__private::EntityTrait>::Column>::#name)
    };

    let mut read: Vec<&Ident> = vec![];
    for name in columns.iter().flat_map(|column| &column.from) {
        if !read.contains(&name) {
            read.push(name);
        }
    }
    let names: Vec<_> = columns.iter().map(|column| column.name).collect();
    let from_row = columns.iter().map(|column| column.of_row(&read));
    let is_shared = |name: &Ident| {
        columns
            .iter()
            .flat_map(|column| &column.from)
            .filter(|from| *from == name)
            .count()
            > 1
    };
    let from_model = columns.iter().map(|column| column.of_model(is_shared));
    let all = read.iter().map(|name| column(name));

    let sorts = list.sorts.iter().map(|sort| {
        let (word, column) = (sort.to_string(), column(sort));
        quote!((#word, #column))
    });
    let shared = list
        .sorts
        .iter()
        .filter(|sort| *sort != "id" && !list.unique.contains(sort));
    let shared = shared.map(ToString::to_string);
    let values = list.sorts.iter().filter(|sort| *sort != "id").map(|sort| {
        let column = column(sort);
        quote!(#column => ::std::clone::Clone::clone(&self.#sort).into(),)
    });
    let default_sort = list.default_sort.iter();
    let visible = list.visible.iter();
    let filters = list.filters(&columns, &api, column)?;
    let id = column(&Ident::new("id", row.span()));
    // What `EntityTrait::Model` stands for is unknown when the compiler looks for two impls of `From`.
    let model = beside(entity, "Model");

    Ok(quote! {
        impl #api::Listed for #row {
            type Entity = #entity;
            const SORTS: &'static [(&'static str, #api::Col<Self>)] = &[#(#sorts),*];
            const ID: #api::Col<Self> = #id;
            #(const DEFAULT_SORT: &'static str = #default_sort;)*
            const SHARED: &'static [&'static str] = &[#(#shared),*];
            const COLUMNS: &'static [#api::Col<Self>] = &[#(#all),*];

            #(fn visible() -> #api::__private::Condition {
                #visible()
            })*

            fn read(row: &#api::__private::QueryResult) -> Result<Self, #api::__private::DbErr> {
                Ok(Self { #(#names: #from_row),* })
            }

            fn value(&self, column: #api::Col<Self>) -> #api::__private::Value {
                match column {
                    #(#values)*
                    _ => self.id.into(),
                }
            }

            #filters
        }

        impl From<#model> for #row {
            fn from(model: #model) -> Self {
                Self { #(#names: #from_model),* }
            }
        }
    })
}

impl List {
    fn of(input: &DeriveInput) -> Result<Self, Error> {
        let mut list = Self::default();
        options(&input.attrs, "listed", |option| {
            let is = |name| option.path.is_ident(name);
            if is("entity") {
                list.entity = Some(option.value()?.parse()?);
            } else if is("sorts") {
                list.sorts = names(&option)?;
            } else if is("unique") {
                list.unique = names(&option)?;
            } else if is("filters") {
                list.filters = names(&option)?;
            } else if is("default_sort") {
                list.default_sort = Some(option.value()?.parse()?);
            } else if is("visible") {
                list.visible = Some(option.value()?.parse()?);
            } else {
                let known = "entity, sorts, unique, filters, default_sort or visible";
                return Err(option.error(format!("use {known}")));
            }
            Ok(())
        })?;
        if list.sorts.is_empty() {
            list.sorts.push(Ident::new("id", input.ident.span()));
        }
        Ok(list)
    }

    /// The functions that read and document the filters.
    fn filters(
        &self,
        columns: &[Column<'_>],
        api: &TokenStream,
        column: impl Fn(&Ident) -> TokenStream,
    ) -> Result<TokenStream, Error> {
        if self.filters.is_empty() {
            return Ok(quote!());
        }
        let (mut reads, mut documents) = (vec![], vec![]);
        for name in &self.filters {
            let field = columns.iter().find(|column| column.name == name);
            let field = field.ok_or_else(|| Error::new_spanned(name, "the struct has no such field"))?;
            let (kind, about, word, column) = (field.kind, &field.about, name.to_string(), column(name));
            reads.push(quote!(#api::__private::equal::<Self::Entity, #kind>(parameters, #word, #column)));
            documents.push(quote!(#api::__private::filter_parameter::<#kind>(#word, #about)));
        }
        Ok(quote! {
            fn filters(parameters: &mut #api::Parameters) -> Vec<#api::Filter<Self::Entity>> {
                [#(#reads),*].into_iter().flatten().collect()
            }

            fn filter_parameters() -> Vec<#api::__private::Parameter> {
                vec![#(#documents),*]
            }
        })
    }
}

fn columns(input: &DeriveInput) -> Result<Vec<Column<'_>>, Error> {
    let mut columns = vec![];
    for (name, field) in fields(input, "Listed")? {
        let (mut from, mut with) = (vec![name.clone()], None);
        options(&field.attrs, "listed", |option| {
            if option.path.is_ident("skip") {
                from.clear();
            } else if option.path.is_ident("from") {
                from = names(&option)?;
            } else if option.path.is_ident("with") {
                with = Some(option.value()?.parse()?);
            } else {
                return Err(option.error("use skip, from or with"));
            }
            Ok(())
        })?;
        if from.len() > 1 && with.is_none() {
            return Err(Error::new_spanned(name, "say what to make of them: with = …"));
        }
        columns.push(Column {
            name,
            about: comment(&field.attrs),
            kind: &field.ty,
            from,
            with,
        });
    }
    Ok(columns)
}

impl Column<'_> {
    /// The value, from the positions of the columns that are read.
    fn of_row(&self, read: &[&Ident]) -> TokenStream {
        let values = self.from.iter().map(|name| {
            let at = read.iter().position(|read| *read == name).unwrap_or_default();
            quote!(row.try_get_by_index(#at)?)
        });
        self.made_of(values)
    }

    fn of_model(&self, is_shared: impl Fn(&Ident) -> bool) -> TokenStream {
        self.made_of(self.from.iter().map(|name| match is_shared(name) {
            true => quote!(::std::clone::Clone::clone(&model.#name)),
            false => quote!(model.#name),
        }))
    }

    fn made_of(&self, values: impl Iterator<Item = TokenStream>) -> TokenStream {
        let mut values = values;
        match &self.with {
            _ if self.from.is_empty() => quote!(::std::default::Default::default()),
            Some(with) => quote!(#with(#(#values),*)),
            None => values.next().unwrap_or_default(),
        }
    }
}
