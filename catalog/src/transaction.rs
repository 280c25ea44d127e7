//! The catalog as one transaction sees it: the committed image with the transaction's own changes, and the session's
//! temporary objects.

use std::collections::BTreeSet;
use std::sync::Arc;

use aegis_storage::Transaction;

use crate::change::{Change, Scope, TemporaryObjects};
use crate::fixed_oid::{
    PG_AUTHID, PG_CATALOG_SCHEMA, PG_CLASS, PG_COLLATION, PG_DATABASE, PG_DEFAULT_ACL, PG_EXTENSION, PG_NAMESPACE,
    PG_PROC, PG_STATISTIC_EXT, PG_TOAST_SCHEMA, PG_TS_CONFIG, PG_TS_DICT, PG_TYPE,
};
use crate::image::Catalog;
use crate::object::privilege::PRIVILEGES_OF;
use crate::object::{
    Database, DefaultPrivileges, Dependency, Descriptor, DescriptorKind, Object, ObjectAddress, Persistence,
    Privileges, Relation, RelationKind, Role, Routine, Schema, UserType, UserTypeKind,
};
use crate::store::CatalogStore;
use crate::types::oid::Oid;
use crate::{Error, Result, fixed_oid, sqlstate, system_tables};

/// One transaction's catalog. Each mutator writes rows through the storage transaction that it is given and changes the
/// private image; both are undone together by savepoints and by dropping both.
#[derive(Debug)]
pub struct CatalogTransaction {
    store: Arc<CatalogStore>,
    database: Oid,
    temporary: TemporaryObjects,
    /// The committed image that `image` starts from.
    committed: Arc<Catalog>,
    image: Arc<Catalog>,
    changes: Vec<(Scope, Change)>,
}

/// A point in a transaction's changes to go back to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CatalogSavepoint(usize);

impl CatalogTransaction {
    /// Begins at the newest committed image; `temporary` are the session's temporary objects.
    pub fn begin(store: &Arc<CatalogStore>, database: Oid, temporary: &TemporaryObjects) -> Result<Self> {
        let image = store.current(database)?;
        let mut transaction = Self {
            store: store.clone(),
            database,
            temporary: temporary.clone(),
            committed: image.clone(),
            image,
            changes: Vec::new(),
        };
        transaction.rebuild(None);
        Ok(transaction)
    }

    /// What this transaction sees now.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.image.clone()
    }

    /// What it sees, apart from its own changes and temporary objects.
    pub fn committed(&self) -> &Arc<Catalog> {
        &self.committed
    }

    /// Sees what another transaction sees, from [`CatalogTransaction::committed`]. Own changes stay.
    pub fn adopt(&mut self, committed: Arc<Catalog>) {
        self.rebuild(Some(committed));
    }

    pub fn database(&self) -> Oid {
        self.database
    }

    pub fn store(&self) -> &Arc<CatalogStore> {
        &self.store
    }

    /// Has it made, changed or dropped temporary objects?
    pub fn has_temporary_changes(&self) -> bool {
        self.changes.iter().any(|(scope, _)| *scope == Scope::Temporary)
    }

    /// True if something was created, changed or dropped.
    pub fn has_changes(&self) -> bool {
        !self.changes.is_empty()
    }

    /// Has nobody committed changes of the catalog since this transaction looked?
    pub fn is_current(&self) -> bool {
        self.store.current(self.database).is_ok_and(|committed| committed.version() == self.committed.version())
    }

    /// READ COMMITTED: sees what others committed until now. Own changes stay. Call it before the storage transaction's
    /// own `refresh`, so that the rows are never older than the catalog that describes them.
    pub fn refresh(&mut self) -> Result<()> {
        let committed = self.store.current(self.database)?;
        if committed.version() != self.committed.version() {
            self.rebuild(Some(committed));
        }
        Ok(())
    }

    /// Puts temporary objects and own changes on top of a committed image (the current one, if none is given).
    fn rebuild(&mut self, committed: Option<Arc<Catalog>>) {
        let committed = match committed {
            Some(committed) => committed,
            None => self.store.current(self.database).unwrap_or_else(|_| self.image.clone()),
        };
        self.committed = committed.clone();
        if self.changes.is_empty() {
            self.image = self.temporary.over(&self.store, self.database).unwrap_or(committed);
            return;
        }
        let mut image = Catalog::clone(&committed);
        self.temporary.apply(&mut image);
        for (scope, change) in &self.changes {
            if Self::concerns(self.database, *scope) {
                change.apply(&mut image);
                note_labels(change, &committed, &mut image);
            }
        }
        image.set_version(self.store.next_version());
        self.image = Arc::new(image);
    }

    /// Whether changes of that scope are seen in the own database.
    fn concerns(database: Oid, scope: Scope) -> bool {
        match scope {
            Scope::Shared | Scope::Temporary => true,
            Scope::Database(other) => other == database,
        }
    }

    pub fn savepoint(&self) -> CatalogSavepoint {
        CatalogSavepoint(self.changes.len())
    }

    /// Undoes the changes since the savepoint; the storage transaction is rolled back by its own savepoint.
    pub fn rollback_to(&mut self, savepoint: CatalogSavepoint) {
        if self.changes.len() > savepoint.0 {
            self.changes.truncate(savepoint.0);
            self.rebuild(None);
        }
    }

    /// After the storage transaction has committed: everybody sees the changes; temporary ones go to the session.
    pub fn publish(self, temporary: &mut TemporaryObjects) {
        self.store.publish(self.changes.iter().map(|(scope, change)| (*scope, change)));
        for (scope, change) in self.changes {
            if scope == Scope::Temporary {
                temporary.absorb(change);
            }
        }
    }

    pub fn allocate_oid(&self) -> Result<Oid> {
        self.store.allocate_oid()
    }

    fn record(&mut self, scope: Scope, change: Change) {
        if Self::concerns(self.database, scope) {
            let image = Arc::make_mut(&mut self.image);
            change.apply(image);
            note_labels(&change, &self.committed, image);
            image.set_version(self.store.next_version());
        }
        self.changes.push((scope, change));
    }

    /// Where an existing object lives.
    fn scope_of(&self, address: ObjectAddress) -> Scope {
        match address.class {
            PG_DATABASE | PG_AUTHID => Scope::Shared,
            PG_NAMESPACE => self.scope_of_schema(address.object),
            PG_PROC => match self.image.routine(address.object) {
                Some(routine) => self.scope_of_schema(routine.row.schema),
                None => Scope::Database(self.database),
            },
            PG_COLLATION | PG_EXTENSION | PG_STATISTIC_EXT | PG_TS_CONFIG | PG_TS_DICT => {
                match self.image.descriptor(address.object) {
                    Some(descriptor) => self.scope_of_schema(descriptor.schema),
                    None => Scope::Database(self.database),
                }
            }
            PG_CLASS => match self.image.relation(address.object) {
                Some(relation) if relation.is_temporary() => Scope::Temporary,
                _ => Scope::Database(self.database),
            },
            PG_TYPE if self.image.user_type(address.object).is_some() => {
                let schema = self.image.user_type(address.object).map_or(0, |ty| ty.schema);
                self.scope_of_schema(schema)
            }
            _ => match self.image.owner_of_part(address) {
                owner if matches!(owner.class, PG_CLASS | PG_TYPE) && owner.object != address.object => {
                    self.scope_of(owner)
                }
                _ => Scope::Database(self.database),
            },
        }
    }

    fn scope_of_schema(&self, oid: Oid) -> Scope {
        match self.image.schema(oid) {
            Some(schema) if is_temporary_schema(&schema.name) => Scope::Temporary,
            _ => Scope::Database(self.database),
        }
    }

    fn create(&mut self, transaction: &mut Transaction, scope: Scope, object: Object) -> Result<()> {
        if let Some(database) = stored_in(scope) {
            system_tables::insert_object(transaction, database, &object)?;
        }
        self.record(scope, Change::Put(object));
        Ok(())
    }

    fn replace(&mut self, transaction: &mut Transaction, object: Object) -> Result<()> {
        let scope = self.scope_of(object.address());
        if let Some(database) = stored_in(scope) {
            system_tables::update_object(transaction, database, &object)?;
        }
        self.record(scope, Change::Put(object));
        Ok(())
    }
}

/// A label that an enum has got since the committed image was made may not be used yet.
fn note_labels(change: &Change, committed: &Catalog, image: &mut Catalog) {
    if let Change::Put(Object::Type(ty)) = change
        && ty.as_enum().is_some()
    {
        image.note_uncommitted_labels(committed, ty.oid);
    }
}

/// The `database` of a row in the system tables; None for what is not stored.
fn stored_in(scope: Scope) -> Option<Oid> {
    match scope {
        Scope::Shared => Some(0),
        Scope::Database(database) => Some(database),
        Scope::Temporary => None,
    }
}

/// True for the schemas that hold sessions' temporary objects.
pub fn is_temporary_schema(name: &str) -> bool {
    name.starts_with("pg_temp_") || name == "pg_temp"
}

/// Schemas.
impl CatalogTransaction {
    /// `oid` 0 is assigned. Returns the schema's OID.
    pub fn create_schema(&mut self, transaction: &mut Transaction, mut schema: Schema) -> Result<Oid> {
        reject_reserved(&schema.name, "schema")?;
        self.reject_schema_name(&schema.name)?;
        self.assign(&mut schema.oid)?;
        let oid = schema.oid;
        self.create(transaction, Scope::Database(self.database), Object::Schema(Arc::new(schema)))?;
        Ok(oid)
    }

    pub fn replace_schema(&mut self, transaction: &mut Transaction, schema: Schema) -> Result<()> {
        let renamed = self.image.schema(schema.oid).is_none_or(|old| old.name != schema.name);
        if renamed {
            reject_reserved(&schema.name, "schema")?;
            self.reject_schema_name(&schema.name)?;
        }
        self.replace(transaction, Object::Schema(Arc::new(schema)))
    }

    fn reject_schema_name(&self, name: &str) -> Result<()> {
        match self.image.schema_by_name(name) {
            Some(_) => Err(Error::new(sqlstate::DUPLICATE_SCHEMA, format!("schema \"{name}\" already exists"))),
            None => Ok(()),
        }
    }

    /// The session's temporary schema, made at first use as `pg_temp_<session>`.
    pub fn temporary_schema(&mut self, session: u32, owner: Oid) -> Result<Oid> {
        let name = format!("pg_temp_{session}");
        if let Some(schema) = self.image.schema_by_name(&name) {
            return Ok(schema.oid);
        }
        let oid = self.allocate_oid()?;
        let schema = Object::Schema(Arc::new(Schema { oid, name, owner }));
        self.record(Scope::Temporary, Change::Put(schema));
        Ok(oid)
    }
}

/// Relations.
impl CatalogTransaction {
    /// OIDs that are 0 (its own, row types, constraints, defaults, rule) are assigned. Returns the relation as created.
    pub fn create_relation(&mut self, transaction: &mut Transaction, mut relation: Relation) -> Result<Arc<Relation>> {
        self.reject_relation_name(&relation)?;
        self.assign_oids(&mut relation)?;
        let scope = match relation.persistence {
            Persistence::Temporary => Scope::Temporary,
            Persistence::Permanent | Persistence::Unlogged => Scope::Database(self.database),
        };
        let relation = Arc::new(relation);
        self.create(transaction, scope, Object::Relation(relation.clone()))?;
        Ok(relation)
    }

    /// Writes a changed relation (same OID). New constraints and defaults get their OIDs.
    pub fn replace_relation(&mut self, transaction: &mut Transaction, mut relation: Relation) -> Result<Arc<Relation>> {
        let old = self.image.relation(relation.oid).ok_or_else(|| {
            Error::internal(format!("relation {} does not exist and can't be replaced", relation.oid))
        })?;
        if old.name != relation.name || old.schema != relation.schema {
            self.reject_relation_name(&relation)?;
        }
        self.assign_oids(&mut relation)?;
        let relation = Arc::new(relation);
        self.replace(transaction, Object::Relation(relation.clone()))?;
        Ok(relation)
    }

    fn reject_relation_name(&self, relation: &Relation) -> Result<()> {
        let Some(schema) = self.image.schema(relation.schema) else {
            return Err(Error::new(
                sqlstate::UNDEFINED_SCHEMA,
                format!("schema with OID {} does not exist", relation.schema),
            ));
        };
        if matches!(schema.oid, PG_CATALOG_SCHEMA | PG_TOAST_SCHEMA) {
            let message = format!("permission denied to create \"{}.{}\"", schema.name, relation.name);
            return Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, message)
                .with_detail("System catalog modifications are currently disallowed."));
        }
        let has_row_type = !matches!(relation.kind, RelationKind::Index(_) | RelationKind::Sequence(_));
        if has_row_type && self.image.user_type_by_name(relation.schema, &relation.name).is_some() {
            let message = format!("type \"{}\" already exists", relation.name);
            return Err(Error::new(sqlstate::DUPLICATE_OBJECT, message).with_hint(
                "A relation has an associated type of the same name, so you must use a name that doesn't conflict with any existing type.",
            ));
        }
        if self.image.relation_by_name(relation.schema, &relation.name).is_some() {
            let message = format!("relation \"{}\" already exists", relation.name);
            return Err(Error::new(sqlstate::DUPLICATE_TABLE, message));
        }
        Ok(())
    }

    fn assign(&self, oid: &mut Oid) -> Result<()> {
        if *oid == 0 {
            *oid = self.allocate_oid()?;
        }
        Ok(())
    }

    fn assign_oids(&self, relation: &mut Relation) -> Result<()> {
        self.assign(&mut relation.oid)?;
        if matches!(relation.kind, RelationKind::Table(_) | RelationKind::View(_) | RelationKind::Composite) {
            self.assign(&mut relation.row_array_type)?;
            self.assign(&mut relation.row_type)?;
        }
        for column in &mut relation.columns {
            match column.default {
                Some(_) => self.assign(&mut column.default_oid)?,
                None => column.default_oid = 0,
            }
        }
        match &mut relation.kind {
            RelationKind::Table(table) => {
                if let Some(materialized) = &mut table.materialized {
                    self.assign(&mut materialized.view.rule)?;
                }
                table.constraints.iter_mut().try_for_each(|constraint| self.assign(&mut constraint.oid))
            }
            RelationKind::View(view) => self.assign(&mut view.rule),
            RelationKind::Index(_) | RelationKind::Sequence(_) | RelationKind::Composite | RelationKind::System => {
                Ok(())
            }
        }
    }
}

/// Enums and domains.
impl CatalogTransaction {
    /// OIDs that are 0 (its own, of its array type, labels, constraints) are assigned. Returns the type as created.
    pub fn create_type(&mut self, transaction: &mut Transaction, mut ty: UserType) -> Result<Arc<UserType>> {
        self.reject_type_name(ty.schema, &ty.name)?;
        self.assign_type_oids(&mut ty)?;
        let scope = self.scope_of_schema(ty.schema);
        let ty = Arc::new(ty);
        self.create(transaction, scope, Object::Type(ty.clone()))?;
        Ok(ty)
    }

    /// Writes a changed type (same OID). New labels and constraints get their OIDs.
    pub fn replace_type(&mut self, transaction: &mut Transaction, mut ty: UserType) -> Result<Arc<UserType>> {
        let old = self.image.user_type(ty.oid);
        let old = old.ok_or_else(|| Error::internal(format!("type {} does not exist", ty.oid)))?;
        if old.name != ty.name || old.schema != ty.schema {
            self.reject_type_name(ty.schema, &ty.name)?;
        }
        self.assign_type_oids(&mut ty)?;
        let ty = Arc::new(ty);
        self.replace(transaction, Object::Type(ty.clone()))?;
        Ok(ty)
    }

    /// 42710 if the schema has a type of that name, 42501 for a system schema.
    pub fn reject_type_name(&self, schema: Oid, name: &str) -> Result<()> {
        if matches!(schema, PG_CATALOG_SCHEMA | PG_TOAST_SCHEMA) {
            let schema = self.image.schema(schema).map(|schema| schema.name.clone()).unwrap_or_default();
            let message = format!("permission denied to create \"{schema}.{name}\"");
            return Err(Error::new(sqlstate::INSUFFICIENT_PRIVILEGE, message)
                .with_detail("System catalog modifications are currently disallowed."));
        }
        // An array type gives its name way.
        match self.image.type_in_schema(schema, name).filter(|found| !found.is_array()) {
            Some(_) => Err(Error::new(sqlstate::DUPLICATE_OBJECT, format!("type \"{name}\" already exists"))),
            None => Ok(()),
        }
    }

    fn assign_type_oids(&self, ty: &mut UserType) -> Result<()> {
        self.assign(&mut ty.array_type)?;
        self.assign(&mut ty.oid)?;
        match &mut ty.kind {
            UserTypeKind::Enum(labels) => labels.labels.iter_mut().try_for_each(|label| self.assign(&mut label.oid)),
            UserTypeKind::Range(_) | UserTypeKind::Multirange(_) | UserTypeKind::Base => Ok(()),
            UserTypeKind::Domain(domain) => {
                domain.constraints.iter_mut().try_for_each(|constraint| self.assign(&mut constraint.oid))
            }
        }
    }
}

/// Privileges.
impl CatalogTransaction {
    /// Writes the privileges on an object; those of its kind are no row.
    pub fn set_privileges(&mut self, transaction: &mut Transaction, privileges: Privileges) -> Result<()> {
        let on = ObjectAddress::new(privileges.class, privileges.object);
        let known = self.image.privileges(on).is_some();
        let scope = self.scope_of(on);
        if privileges.is_default() {
            return if known { self.forget_privileges(transaction, on) } else { Ok(()) };
        }
        let object = Object::Privileges(Arc::new(privileges));
        if let Some(database) = stored_in(scope) {
            match known {
                true => system_tables::update_object(transaction, database, &object)?,
                false => system_tables::insert_object(transaction, database, &object)?,
            }
        }
        self.record(scope, Change::Put(object));
        Ok(())
    }

    fn forget_privileges(&mut self, transaction: &mut Transaction, on: ObjectAddress) -> Result<()> {
        let (scope, class) = (self.scope_of(on), on.class | PRIVILEGES_OF);
        if let Some(database) = stored_in(scope) {
            system_tables::delete_object(transaction, database, class, on.object)?;
        }
        self.record(scope, Change::Remove { class, oid: on.object });
        Ok(())
    }

    /// Writes default privileges; `oid` 0 is assigned.
    pub fn set_default_privileges(
        &mut self,
        transaction: &mut Transaction,
        mut default: DefaultPrivileges,
    ) -> Result<()> {
        let known = default.oid != 0;
        self.assign(&mut default.oid)?;
        let object = Object::DefaultPrivileges(Arc::new(default));
        match known {
            true => self.replace(transaction, object),
            false => self.create(transaction, Scope::Database(self.database), object),
        }
    }
}

/// Functions and procedures.
impl CatalogTransaction {
    /// `oid` 0 is assigned. Returns the routine as created.
    pub fn create_routine(&mut self, transaction: &mut Transaction, mut routine: Routine) -> Result<Arc<Routine>> {
        self.assign(&mut routine.row.oid)?;
        if let Some(aggregate) = &mut routine.aggregate {
            aggregate.function = routine.row.oid;
        }
        let routine = Arc::new(routine);
        let scope = self.scope_of_schema(routine.row.schema);
        self.create(transaction, scope, Object::Routine(routine.clone()))?;
        Ok(routine)
    }

    pub fn replace_routine(&mut self, transaction: &mut Transaction, routine: Routine) -> Result<Arc<Routine>> {
        let routine = Arc::new(routine);
        self.replace(transaction, Object::Routine(routine.clone()))?;
        Ok(routine)
    }
}

/// Collations, extensions and the like.
impl CatalogTransaction {
    /// `oid` 0 is assigned. 42710 if there is one of that name. Returns the descriptor as created.
    pub fn create_descriptor(
        &mut self,
        transaction: &mut Transaction,
        mut descriptor: Descriptor,
    ) -> Result<Arc<Descriptor>> {
        self.reject_descriptor_name(&descriptor)?;
        self.assign(&mut descriptor.oid)?;
        let scope = self.scope_of_schema(descriptor.schema);
        let descriptor = Arc::new(descriptor);
        self.create(transaction, scope, Object::Descriptor(descriptor.clone()))?;
        Ok(descriptor)
    }

    /// Writes a changed descriptor (same OID).
    pub fn replace_descriptor(&mut self, transaction: &mut Transaction, descriptor: Descriptor) -> Result<()> {
        let old = self.image.descriptor(descriptor.oid);
        let old = old.ok_or_else(|| Error::internal(format!("object {} does not exist", descriptor.oid)))?;
        if old.name != descriptor.name || old.schema != descriptor.schema {
            self.reject_descriptor_name(&descriptor)?;
        }
        self.replace(transaction, Object::Descriptor(Arc::new(descriptor)))
    }

    fn reject_descriptor_name(&self, new: &Descriptor) -> Result<()> {
        let found = self.image.descriptor_by_name(new.class(), new.schema, &new.name);
        if found.is_none_or(|found| found.oid == new.oid) {
            return Ok(());
        }
        let word = DescriptorKind::word(new.class()).unwrap_or("object");
        let message = match new.kind {
            DescriptorKind::Collation(_) => format!("collation \"{}\" already exists", new.name),
            _ => format!("{word} \"{}\" already exists", new.name),
        };
        Err(Error::new(sqlstate::DUPLICATE_OBJECT, message))
    }
}

/// Databases and roles.
impl CatalogTransaction {
    /// Creates a database with the schemas and comments of its template (whose tables, if it has any, the caller refuses or
    /// copies). Returns its OID.
    pub fn create_database(
        &mut self,
        transaction: &mut Transaction,
        mut database: Database,
        template: Oid,
    ) -> Result<Oid> {
        self.reject_database_name(&database.name)?;
        let template = self.store.current(template)?;
        self.assign(&mut database.oid)?;
        let oid = database.oid;
        self.create(transaction, Scope::Shared, Object::Database(Arc::new(database)))?;
        crate::large_object::create(transaction, oid)?;
        for schema in template.user_schemas() {
            self.create(transaction, Scope::Database(oid), Object::Schema(schema.clone()))?;
            let on = ObjectAddress::new(PG_NAMESPACE, schema.oid);
            let comment = template.comment(on).map(str::to_owned);
            if comment.is_some() {
                system_tables::write_comment(transaction, oid, on, comment.as_deref())?;
                self.record(Scope::Database(oid), Change::Comment { on, text: comment });
            }
        }
        Ok(oid)
    }

    pub fn replace_database(&mut self, transaction: &mut Transaction, database: Database) -> Result<()> {
        let renamed = self.image.database_by_oid(database.oid).is_none_or(|old| old.name != database.name);
        if renamed {
            self.reject_database_name(&database.name)?;
        }
        self.replace(transaction, Object::Database(Arc::new(database)))
    }

    fn reject_database_name(&self, name: &str) -> Result<()> {
        match self.image.database_by_name(name) {
            Some(_) => Err(Error::new(sqlstate::DUPLICATE_DATABASE, format!("database \"{name}\" already exists"))),
            None => Ok(()),
        }
    }

    /// Returns the role's OID.
    pub fn create_role(&mut self, transaction: &mut Transaction, mut role: Role) -> Result<Oid> {
        reject_reserved(&role.name, "role")?;
        self.reject_role_name(&role.name)?;
        self.assign(&mut role.oid)?;
        let oid = role.oid;
        self.create(transaction, Scope::Shared, Object::Role(Arc::new(role)))?;
        Ok(oid)
    }

    pub fn replace_role(&mut self, transaction: &mut Transaction, role: Role) -> Result<()> {
        let renamed = self.image.role(role.oid).is_none_or(|old| old.name != role.name);
        if renamed {
            reject_reserved(&role.name, "role")?;
            self.reject_role_name(&role.name)?;
        }
        self.replace(transaction, Object::Role(Arc::new(role)))
    }

    fn reject_role_name(&self, name: &str) -> Result<()> {
        match self.image.role_by_name(name) {
            Some(_) => Err(Error::new(sqlstate::DUPLICATE_OBJECT, format!("role \"{name}\" already exists"))),
            None => Ok(()),
        }
    }
}

/// Names that start with `pg_` are the system's.
fn reject_reserved(name: &str, kind: &str) -> Result<()> {
    let (message, detail) = match kind {
        "role" if matches!(name, "public" | "none") => (format!("role name \"{name}\" is reserved"), None),
        "role" if name.starts_with("pg_") => {
            (format!("role name \"{name}\" is reserved"), Some("Role names starting with \"pg_\" are reserved."))
        }
        "schema" if name.starts_with("pg_") => {
            (format!("unacceptable schema name \"{name}\""), Some("The prefix \"pg_\" is reserved for system schemas."))
        }
        _ => return Ok(()),
    };
    let error = Error::new(sqlstate::RESERVED_NAME, message);
    Err(match detail {
        Some(detail) => error.with_detail(detail),
        None => error,
    })
}

/// Comments, dependencies, dropping.
impl CatalogTransaction {
    /// Removes one object with its comments and with the dependencies from it and to it. Whether something still depends on
    /// it, and what goes with it, is the caller's to decide ([`Catalog::dependents_of`], [`crate::dependency`]).
    pub fn drop_object(&mut self, transaction: &mut Transaction, address: ObjectAddress) -> Result<()> {
        let scope = self.scope_of(address);
        let ObjectAddress { class, object: oid, .. } = address;
        if class != PG_DEFAULT_ACL && self.image.privileges(address).is_some() {
            self.forget_privileges(transaction, address)?;
        }
        if let Some(database) = stored_in(scope) {
            system_tables::delete_object(transaction, database, class, oid)?;
            let comments: Vec<_> = self.image.comments_on(address).map(|(on, _)| on).collect();
            for on in comments {
                system_tables::write_comment(transaction, database, on, None)?;
            }
            if class == PG_DATABASE {
                self.drop_contents(transaction, oid)?;
            }
        }
        let whole = ObjectAddress { sub: 0, ..address };
        let relation = if class == PG_CLASS { self.image.relation(oid) } else { None };
        let parts = relation.map(|relation| relation.parts()).into_iter().flatten();
        let ty = if class == PG_TYPE { self.image.user_type(oid) } else { None };
        let constraints = ty.into_iter().flat_map(|ty| ty.constraints());
        let constraints = constraints.map(|constraint| ObjectAddress::new(fixed_oid::PG_CONSTRAINT, constraint.oid));
        let parts: Vec<_> = parts.chain(constraints).chain([whole]).collect();
        let edges: BTreeSet<Dependency> = parts
            .iter()
            .flat_map(|&part| self.image.dependencies_of(part).into_iter().chain(self.image.dependents_of(part)))
            .collect();
        for edge in edges {
            self.remove_dependency(transaction, edge.dependent, edge.referenced)?;
        }
        self.record(scope, Change::Remove { class, oid });
        Ok(())
    }

    /// Rows of a dropped database. Its tables' storage is the caller's to drop.
    fn drop_contents(&mut self, transaction: &mut Transaction, database: Oid) -> Result<()> {
        let image = self.store.current(database)?;
        for schema in image.user_schemas() {
            system_tables::delete_object(transaction, database, PG_NAMESPACE, schema.oid)?;
        }
        for relation in image.user_relations() {
            system_tables::delete_object(transaction, database, PG_CLASS, relation.oid)?;
        }
        for ty in image.user_types() {
            system_tables::delete_object(transaction, database, PG_TYPE, ty.oid)?;
        }
        let own = |address: &ObjectAddress| !matches!(address.class, PG_DATABASE | PG_AUTHID);
        for routine in image.routines() {
            system_tables::delete_object(transaction, database, PG_PROC, routine.row.oid)?;
        }
        for descriptor in image.descriptors() {
            system_tables::delete_object(transaction, database, descriptor.class(), descriptor.oid)?;
        }
        for (on, _) in image.comments().filter(|(on, _)| own(on)) {
            system_tables::write_comment(transaction, database, on, None)?;
        }
        for edge in image.dependencies() {
            system_tables::delete_dependency(transaction, database, edge.dependent, edge.referenced)?;
        }
        Ok(())
    }

    /// Sets or, with None, removes a comment.
    pub fn set_comment(&mut self, transaction: &mut Transaction, on: ObjectAddress, text: Option<&str>) -> Result<()> {
        let text = text.filter(|text| !text.is_empty());
        let scope = self.scope_of(on);
        if let Some(database) = stored_in(scope) {
            system_tables::write_comment(transaction, database, on, text)?;
        }
        self.record(scope, Change::Comment { on, text: text.map(str::to_owned) });
        Ok(())
    }

    /// Records that `dependent` can't live without `referenced`; nothing happens if that is known, or if what it refers to
    /// is part of the system.
    pub fn add_dependency(&mut self, transaction: &mut Transaction, edge: Dependency) -> Result<()> {
        if crate::extension_facts::is_permanent(edge.referenced.object)
            && edge.referenced.object != fixed_oid::PUBLIC_SCHEMA
        {
            return Ok(());
        }
        let known = self.image.dependency(edge.dependent, edge.referenced);
        if known == Some(edge.kind) {
            return Ok(());
        }
        if known.is_some() {
            self.remove_dependency(transaction, edge.dependent, edge.referenced)?;
        }
        let scope = self.scope_of_edge(edge.dependent, edge.referenced);
        if let Some(database) = stored_in(scope) {
            system_tables::insert_dependency(transaction, database, edge)?;
        }
        self.record(scope, Change::PutDependency(edge));
        Ok(())
    }

    /// Forgets all that `dependent` rests on (before its definition changes).
    pub fn remove_dependencies(&mut self, transaction: &mut Transaction, dependent: ObjectAddress) -> Result<()> {
        for edge in self.image.clone().dependencies_of(dependent) {
            self.remove_dependency(transaction, edge.dependent, edge.referenced)?;
        }
        Ok(())
    }

    pub fn remove_dependency(
        &mut self,
        transaction: &mut Transaction,
        dependent: ObjectAddress,
        referenced: ObjectAddress,
    ) -> Result<()> {
        let scope = self.scope_of_edge(dependent, referenced);
        if let Some(database) = stored_in(scope) {
            system_tables::delete_dependency(transaction, database, dependent, referenced)?;
        }
        self.record(scope, Change::RemoveDependency { dependent, referenced });
        Ok(())
    }

    /// What is temporary on either side is known to the session alone.
    fn scope_of_edge(&self, dependent: ObjectAddress, referenced: ObjectAddress) -> Scope {
        let temporary =
            [dependent, referenced].iter().any(|&end| self.scope_of(self.image.owner_of_part(end)) == Scope::Temporary);
        if temporary { Scope::Temporary } else { Scope::Database(self.database) }
    }
}

#[cfg(test)]
mod tests;
