//! The catalog in memory: an immutable image of everything one database sees.
//!
//! Cloning copies a few pointers; a changed copy shares what did not change, so that an image per transaction costs
//! little also with ten thousand tables. The relations of `pg_catalog` and `information_schema` are in no map here:
//! they are the same for all and looked up in [`crate::system`].

use std::sync::Arc;

use imbl::{HashMap, OrdMap, OrdSet};

use crate::builtins::Builtins;
use crate::extension_facts::ExtensionOperator;
use crate::facts::FunctionRow;
use crate::name::SearchPath;
use crate::object::privilege::PRIVILEGES_OF;
use crate::object::{
    Constraint, ConstraintKind, Database, DefaultPrivileges, Dependency, DependencyKind, Descriptor, Object,
    ObjectAddress, Privileges, Relation, RelationKind, Role, Routine, Schema, UserType, UserTypeKind, Window,
};
use crate::system::{self, Shown};
use crate::types::oid::Oid;
use crate::types::{Structure, Type, TypeLookup, structure};
use crate::{Result, built_in_extension, extension_facts, fixed_oid, text_search};

pub use crate::type_entry::TypeEntry;

/// Everything one database sees: its own objects, and the databases and roles that all share.
#[derive(Debug, Clone)]
pub struct Catalog {
    database: Oid,
    version: u64,
    builtins: Arc<Builtins>,
    databases: OrdMap<Oid, Arc<Database>>,
    roles: OrdMap<Oid, Arc<Role>>,
    schemas: OrdMap<Oid, Arc<Schema>>,
    relations: OrdMap<Oid, Arc<Relation>>,
    /// Schema → name → relation.
    relation_names: OrdMap<Oid, HashMap<String, Oid>>,
    /// Row type or array of it → relation.
    row_types: HashMap<Oid, Oid>,
    types: OrdMap<Oid, Arc<UserType>>,
    /// Schema → name → type.
    type_names: OrdMap<Oid, HashMap<String, Oid>>,
    /// Array type → its element's type, and constraint → its domain.
    type_parts: HashMap<(Oid, Oid), Oid>,
    /// Labels that the transaction, whose image this is, has added to enums that are older.
    uncommitted_labels: OrdSet<Oid>,
    /// (class, oid) of a constraint, default or rule → the relation it is part of.
    parts: HashMap<(Oid, Oid), Oid>,
    indexes: HashMap<Oid, OrdSet<Oid>>,
    /// Table → where its windows begin → the views of these.
    windows: HashMap<Oid, OrdMap<i64, Oid>>,
    /// Table or index → those that inherit from it or are partitions of it.
    children: HashMap<Oid, OrdSet<Oid>>,
    routines: OrdMap<Oid, Arc<Routine>>,
    descriptors: OrdMap<Oid, Arc<Descriptor>>,
    privileges: HashMap<(Oid, Oid), Arc<Privileges>>,
    default_privileges: OrdMap<Oid, Arc<DefaultPrivileges>>,
    /// Name → overloads in all schemas.
    routine_names: HashMap<String, OrdSet<Oid>>,
    /// Referenced table → (table, constraint) of foreign keys.
    referencing: HashMap<Oid, OrdSet<(Oid, Oid)>>,
    comments: OrdMap<ObjectAddress, Arc<str>>,
    dependencies: OrdMap<(ObjectAddress, ObjectAddress), DependencyKind>,
    /// (referenced, dependent).
    dependents: OrdMap<(ObjectAddress, ObjectAddress), DependencyKind>,
    shown: Shown,
}

impl Catalog {
    pub(crate) fn empty(database: Oid, builtins: Arc<Builtins>) -> Self {
        Self {
            database,
            version: 0,
            builtins,
            databases: OrdMap::new(),
            roles: OrdMap::new(),
            schemas: OrdMap::new(),
            relations: OrdMap::new(),
            relation_names: OrdMap::new(),
            row_types: HashMap::new(),
            types: OrdMap::new(),
            type_names: OrdMap::new(),
            type_parts: HashMap::new(),
            uncommitted_labels: OrdSet::new(),
            parts: HashMap::new(),
            indexes: HashMap::new(),
            windows: HashMap::new(),
            children: HashMap::new(),
            routines: OrdMap::new(),
            descriptors: OrdMap::new(),
            routine_names: HashMap::new(),
            privileges: HashMap::new(),
            default_privileges: OrdMap::new(),
            referencing: HashMap::new(),
            comments: OrdMap::new(),
            dependencies: OrdMap::new(),
            dependents: OrdMap::new(),
            shown: Shown::default(),
        }
    }

    /// Grows with every change that any session commits, and with every change of the own transaction; two images of
    /// one database with the same version are equal, so plans may be cached under it.
    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn database_oid(&self) -> Oid {
        self.database
    }

    /// The database this image is of.
    pub fn database(&self) -> Option<&Arc<Database>> {
        self.databases.get(&self.database)
    }

    pub fn databases(&self) -> impl Iterator<Item = &Arc<Database>> {
        self.databases.values()
    }

    pub fn database_by_oid(&self, oid: Oid) -> Option<&Arc<Database>> {
        self.databases.get(&oid)
    }

    pub fn database_by_name(&self, name: &str) -> Option<&Arc<Database>> {
        self.databases.values().find(|database| database.name == name)
    }

    pub fn roles(&self) -> impl Iterator<Item = &Arc<Role>> {
        self.roles.values()
    }

    pub fn role(&self, oid: Oid) -> Option<&Arc<Role>> {
        self.roles.get(&oid)
    }

    pub fn role_by_name(&self, name: &str) -> Option<&Arc<Role>> {
        self.roles.values().find(|role| role.name == name)
    }

    /// All schemas, the system's first.
    pub fn schemas(&self) -> impl Iterator<Item = &Arc<Schema>> {
        system::schemas().iter().chain(self.schemas.values())
    }

    /// Schemas that users may create and drop, `public` among them.
    pub fn user_schemas(&self) -> impl Iterator<Item = &Arc<Schema>> {
        self.schemas.values()
    }

    pub fn schema(&self, oid: Oid) -> Option<&Arc<Schema>> {
        self.schemas.get(&oid).or_else(|| system::schemas().iter().find(|schema| schema.oid == oid))
    }

    pub fn schema_by_name(&self, name: &str) -> Option<&Arc<Schema>> {
        self.schemas().find(|schema| schema.name == name)
    }

    /// What users created, by OID.
    pub fn user_relations(&self) -> impl Iterator<Item = &Arc<Relation>> {
        self.relations.values()
    }

    /// All relations, the system's first.
    pub fn relations(&self) -> impl Iterator<Item = &Arc<Relation>> {
        system::relations().iter().chain(self.relations.values())
    }

    pub fn relation(&self, oid: Oid) -> Option<&Arc<Relation>> {
        self.relations.get(&oid).or_else(|| system::relation(oid))
    }

    pub fn relation_by_name(&self, schema: Oid, name: &str) -> Option<&Arc<Relation>> {
        match self.relation_names.get(&schema).and_then(|names| names.get(name)) {
            Some(oid) => self.relations.get(oid),
            None => system::relation_by_name(schema, name),
        }
    }

    /// What a relation's name means to a user: in that schema (`pg_temp` is the session's own), or in the first schema of
    /// the path that has it. None if there is no such relation, be it for want of the schema.
    pub fn resolve_relation(
        &self,
        schema: Option<&str>,
        name: &str,
        search_path: &SearchPath,
    ) -> Result<Option<Arc<Relation>>> {
        let found = match schema {
            Some(schema) => {
                self.resolve_schema(schema, search_path).and_then(|schema| self.relation_by_name(schema, name))
            }
            None => search_path.schemas().iter().find_map(|&schema| self.relation_by_name(schema, name)),
        };
        Ok(found.cloned())
    }

    /// What a schema's name means: `pg_temp` is the session's temporary schema.
    pub fn resolve_schema(&self, name: &str, search_path: &SearchPath) -> Option<Oid> {
        match name {
            "pg_temp" => search_path.temporary_schema(),
            name => self.schema_by_name(name).map(|schema| schema.oid),
        }
    }

    /// True if the unqualified name finds this relation (`pg_table_is_visible`).
    pub fn relation_is_visible(&self, relation: &Relation, search_path: &SearchPath) -> bool {
        let first = search_path.schemas().iter().find_map(|&schema| self.relation_by_name(schema, &relation.name));
        first.is_some_and(|first| first.oid == relation.oid)
    }

    /// A type by OID: built-in, created by a user, or the row type of a relation; or the array over it.
    pub fn type_entry(&self, oid: Oid) -> Option<TypeEntry> {
        if let Some(entry) = TypeEntry::builtin(oid) {
            return Some(entry);
        }
        match self.user_type_or_array(oid) {
            Some(ty) => Some(TypeEntry::of_user_type(ty, oid, self)),
            None => TypeEntry::of_relation(self.relation_of_type(oid)?, oid),
        }
    }

    /// Enums and domains, by OID.
    /// Collations, extensions and the like, by OID.
    pub fn descriptors(&self) -> impl Iterator<Item = &Arc<Descriptor>> {
        self.descriptors.values()
    }

    pub fn descriptor(&self, oid: Oid) -> Option<&Arc<Descriptor>> {
        let built_in = || text_search::built_in_by_oid(oid).or_else(|| built_in_extension::built_in_by_oid(oid));
        self.descriptors.get(&oid).or_else(built_in)
    }

    /// One of the class by its name in a schema; extensions are in none.
    pub fn descriptor_by_name(&self, class: Oid, schema: Oid, name: &str) -> Option<&Arc<Descriptor>> {
        let is_it = |found: &&Arc<Descriptor>| {
            found.name == name && found.class() == class && (found.schema == schema || class == fixed_oid::PG_EXTENSION)
        };
        let text_search = if schema == fixed_oid::PG_CATALOG_SCHEMA { text_search::built_in() } else { &[] };
        let made = self.descriptors.values().find(is_it);
        made.or_else(|| text_search.iter().chain(built_in_extension::built_in()).find(is_it))
    }

    /// The name of a collation, with its schema's OID.
    pub fn collation(&self, oid: Oid) -> Option<(Oid, &str)> {
        match self.descriptors.get(&oid) {
            Some(made) => made.collation().map(|_| (made.schema, made.name.as_str())),
            None => crate::facts::collation(oid).map(|row| (fixed_oid::PG_CATALOG_SCHEMA, row.name.as_ref())),
        }
    }

    /// What a collation is.
    pub fn collation_facts(&self, oid: Oid) -> Option<&crate::object::Collation> {
        match self.descriptors.get(&oid) {
            Some(made) => made.collation(),
            None => crate::facts::collation(oid).map(|row| &row.collation),
        }
    }

    /// A collation by name, in a schema or along the path.
    pub fn collation_named(&self, schema: Option<&str>, name: &str, search_path: &SearchPath) -> Option<Oid> {
        let builtin = || crate::facts::collation_named(name).map(|row| row.oid);
        let made = |schema: Oid| self.descriptor_by_name(fixed_oid::PG_COLLATION, schema, name).map(|made| made.oid);
        let in_schema = |schema: Oid| if schema == fixed_oid::PG_CATALOG_SCHEMA { builtin() } else { made(schema) };
        match schema {
            Some(schema) => in_schema(self.resolve_schema(schema, search_path)?),
            None => search_path.schemas().iter().find_map(|schema| in_schema(*schema)),
        }
    }

    pub fn user_types(&self) -> impl Iterator<Item = &Arc<UserType>> {
        self.types.values()
    }

    pub fn user_type(&self, oid: Oid) -> Option<&Arc<UserType>> {
        self.types.get(&oid)
    }

    /// The enum or domain that this is, or that this is the array over.
    pub fn user_type_or_array(&self, oid: Oid) -> Option<&Arc<UserType>> {
        let element = || self.types.get(self.type_parts.get(&(fixed_oid::PG_TYPE, oid))?);
        self.types.get(&oid).or_else(element)
    }

    pub fn user_type_by_name(&self, schema: Oid, name: &str) -> Option<&Arc<UserType>> {
        self.types.get(self.type_names.get(&schema)?.get(name)?)
    }

    /// A constraint of a domain, by OID, with the domain.
    pub fn domain_constraint(&self, oid: Oid) -> Option<(&Arc<UserType>, &Constraint)> {
        let ty = self.types.get(self.type_parts.get(&(fixed_oid::PG_CONSTRAINT, oid))?)?;
        Some((ty, ty.constraints().iter().find(|constraint| constraint.oid == oid)?))
    }

    /// The Arrow type of a computed value.
    pub fn arrow_type(&self, ty: Type) -> arrow::datatypes::DataType {
        structure::arrow_type(ty, self)
    }

    /// The Arrow type of a stored column.
    pub fn stored_arrow_type(&self, ty: Type) -> arrow::datatypes::DataType {
        structure::stored_arrow_type(ty, self)
    }

    /// The element type of an array type.
    pub fn element_of(&self, ty: Oid) -> Option<Oid> {
        structure::element(ty, self)
    }

    /// The base type of a domain, with its modifier; any other type is its own.
    pub fn base_type(&self, ty: Type) -> Type {
        match self.user_type(ty.oid).and_then(|found| found.domain()) {
            Some(domain) => self.base_type(domain.base),
            None => ty,
        }
    }

    /// The type without domains, as values are represented.
    pub fn erased(&self, ty: Type) -> Type {
        structure::erased(ty, self)
    }

    /// The relation whose row type, or array of it, this is.
    pub fn relation_of_type(&self, ty: Oid) -> Option<&Arc<Relation>> {
        let own = self.row_types.get(&ty).and_then(|relation| self.relations.get(relation));
        own.or_else(|| system::relation_of_type(ty))
    }

    /// A type by its internal name (`int4`, `_int4`, a table's name) in that schema or along the path.
    pub fn type_by_name(&self, schema: Option<&str>, name: &str, search_path: &SearchPath) -> Option<TypeEntry> {
        match schema {
            Some(schema) => self.type_in_schema(self.resolve_schema(schema, search_path)?, name),
            None => search_path.schemas().iter().find_map(|&schema| self.type_in_schema(schema, name)),
        }
    }

    pub fn type_in_schema(&self, schema: Oid, name: &str) -> Option<TypeEntry> {
        if schema == fixed_oid::PG_CATALOG_SCHEMA
            && let Some(entry) = TypeEntry::builtin_named(name)
        {
            return Some(entry);
        }
        if let Some(ty) = self.user_type_by_name(schema, name) {
            return Some(TypeEntry::of_user_type(ty, ty.oid, self));
        }
        let row_type = self
            .relation_by_name(schema, name)
            .and_then(|relation| TypeEntry::of_relation(relation, relation.row_type));
        row_type.or_else(|| {
            let element = name.strip_prefix('_')?;
            if let Some(ty) = self.user_type_by_name(schema, element) {
                return Some(TypeEntry::of_user_type(ty, ty.array_type, self));
            }
            let relation = self.relation_by_name(schema, element)?;
            TypeEntry::of_relation(relation, relation.row_array_type)
        })
    }

    /// Constraints of a table; none if it is not one.
    pub fn constraints_of(&self, table: Oid) -> &[Constraint] {
        self.relation(table).map(|relation| relation.constraints()).unwrap_or_default()
    }

    /// A constraint by OID with its table.
    pub fn constraint(&self, oid: Oid) -> Option<(&Arc<Relation>, &Constraint)> {
        let table = self.relations.get(self.parts.get(&(fixed_oid::PG_CONSTRAINT, oid))?)?;
        Some((table, table.constraints().iter().find(|constraint| constraint.oid == oid)?))
    }

    /// Indexes of a table, by OID.
    pub fn indexes_of(&self, table: Oid) -> impl Iterator<Item = &Arc<Relation>> {
        self.indexes.get(&table).into_iter().flatten().filter_map(|oid| self.relations.get(oid))
    }

    /// The views of a table's windows, in order.
    pub fn windows_of(&self, table: Oid) -> impl DoubleEndedIterator<Item = &Arc<Relation>> {
        self.windows
            .get(&table)
            .into_iter()
            .flat_map(|windows| windows.values())
            .filter_map(|oid| self.relations.get(oid))
    }

    /// The last window that begins at `value` or before it, and the first one that begins behind it.
    pub fn windows_around(&self, table: Oid, value: i64) -> (Option<&Window>, Option<&Window>) {
        let Some(windows) = self.windows.get(&table) else { return (None, None) };
        let window = |oid: &Oid| self.relations.get(oid).and_then(|view| view.window());
        let before = windows.range(..=value).next_back().and_then(|(_, oid)| window(oid));
        let behind =
            value.checked_add(1).and_then(|next| windows.range(next..).next()).and_then(|(_, oid)| window(oid));
        (before, behind)
    }

    /// What inherits from a table, or is a partition of it or of an index, by OID.
    pub fn children_of(&self, parent: Oid) -> impl Iterator<Item = &Arc<Relation>> {
        self.children.get(&parent).into_iter().flatten().filter_map(|oid| self.relations.get(oid))
    }

    pub fn has_children(&self, parent: Oid) -> bool {
        self.children.get(&parent).is_some_and(|children| !children.is_empty())
    }

    /// A table or index with all that inherit from it, each once: level by level, each level by OID.
    pub fn inheritors(&self, root: &Arc<Relation>) -> Vec<Arc<Relation>> {
        let mut found = vec![root.clone()];
        let mut next = 0;
        while let Some(relation) = found.get(next) {
            let oid = relation.oid;
            for child in self.children_of(oid) {
                if !found.iter().any(|other| other.oid == child.oid) {
                    found.push(child.clone());
                }
            }
            next += 1;
        }
        found
    }

    /// The parents of a table, of the index of a partition.
    pub fn parents_of<'c>(&'c self, relation: &'c Relation) -> impl Iterator<Item = &'c Arc<Relation>> {
        relation.inherited_from().filter_map(|oid| self.relations.get(&oid))
    }

    /// The partitioned tables that a partition is below of, the nearest first.
    pub fn partition_ancestors(&self, relation: &Relation) -> Vec<Arc<Relation>> {
        let mut found: Vec<Arc<Relation>> = Vec::new();
        let mut at = relation;
        while at.is_partition() && found.len() <= self.relations.len() {
            let Some(parent) = self.parents_of(at).next() else { break };
            found.push(parent.clone());
            at = parent;
        }
        found
    }

    /// Foreign keys that point at this table, with the tables they are of.
    pub fn referencing(&self, table: Oid) -> impl Iterator<Item = (&Arc<Relation>, &Constraint)> {
        self.referencing.get(&table).into_iter().flatten().filter_map(|(_, constraint)| self.constraint(*constraint))
    }

    pub fn comment(&self, address: ObjectAddress) -> Option<&str> {
        self.comments.get(&address).map(|text| &**text)
    }

    /// Comments that users made, by address.
    pub fn comments(&self) -> impl Iterator<Item = (ObjectAddress, &str)> {
        self.comments.iter().map(|(address, text)| (*address, &**text))
    }

    /// Comments on an object and its columns.
    pub fn comments_on(&self, address: ObjectAddress) -> impl Iterator<Item = (ObjectAddress, &str)> {
        let whole = ObjectAddress { sub: i32::MIN, ..address }..=ObjectAddress { sub: i32::MAX, ..address };
        self.comments.range(whole).map(|(address, text)| (*address, &**text))
    }

    /// The relation or type that a constraint, default, rule, row type, array type or index key is part of; else the object itself, as a
    /// whole.
    pub fn owner_of_part(&self, part: ObjectAddress) -> ObjectAddress {
        if let Some(&ty) = self.type_parts.get(&(part.class, part.object)) {
            return ObjectAddress::new(fixed_oid::PG_TYPE, ty);
        }
        let relation = match part.class {
            fixed_oid::PG_TYPE => self.row_types.get(&part.object),
            class => self.parts.get(&(class, part.object)),
        };
        relation.map_or(ObjectAddress { sub: 0, ..part }, |&oid| ObjectAddress::new(fixed_oid::PG_CLASS, oid))
    }

    /// The kind of the dependency between two objects, if there is one.
    pub fn dependency(&self, dependent: ObjectAddress, referenced: ObjectAddress) -> Option<DependencyKind> {
        self.dependencies.get(&(dependent, referenced)).copied()
    }

    /// Every dependency: what follows from the objects' structure, and what was recorded for their expressions and queries.
    pub fn dependencies(&self) -> impl Iterator<Item = Dependency> + '_ {
        self.dependencies.iter().map(|((dependent, referenced), kind)| Dependency {
            dependent: *dependent,
            referenced: *referenced,
            kind: *kind,
        })
    }

    /// What this object rests on, its columns' dependencies included when `sub` is 0.
    pub fn dependencies_of(&self, dependent: ObjectAddress) -> Vec<Dependency> {
        range_of(&self.dependencies, dependent)
            .map(|(dependent, referenced, kind)| Dependency { dependent, referenced, kind })
            .collect()
    }

    /// What rests on this object; with `sub` 0 also what rests on one of its columns.
    pub fn dependents_of(&self, referenced: ObjectAddress) -> Vec<Dependency> {
        range_of(&self.dependents, referenced)
            .map(|(referenced, dependent, kind)| Dependency { dependent, referenced, kind })
            .collect()
    }

    /// Functions that exist, of that name, in `pg_catalog`.
    pub fn procs_named(&self, name: &str) -> &[Arc<FunctionRow>] {
        self.builtins.named(name)
    }

    /// A function that exists.
    pub fn proc(&self, oid: Oid) -> Option<&FunctionRow> {
        let made = self.routines.get(&oid).map(|routine| &routine.row);
        made.or_else(|| self.builtins.get(oid).map(|row| &**row))
    }

    /// What computed relations have shown of this image.
    pub(crate) fn shown(&self) -> &Shown {
        &self.shown
    }

    /// The privileges on an object, if they are not those of its kind.
    pub fn privileges(&self, on: ObjectAddress) -> Option<&Arc<Privileges>> {
        self.privileges.get(&(on.class, on.object))
    }

    /// All privileges that differ from the default.
    pub fn all_privileges(&self) -> impl Iterator<Item = &Arc<Privileges>> {
        self.privileges.values()
    }

    pub fn default_privileges(&self) -> impl Iterator<Item = &Arc<DefaultPrivileges>> {
        self.default_privileges.values()
    }

    /// The list that an object's catalog shows; None for the default.
    pub fn shown_acl(&self, class: Oid, object: Oid) -> Option<Vec<String>> {
        let privileges = self.privileges.get(&(class, object))?;
        privileges.acl.as_ref().map(|acl| crate::acl::show_all(acl, self))
    }

    /// A function or procedure that a user made.
    pub fn routine(&self, oid: Oid) -> Option<&Arc<Routine>> {
        self.routines.get(&oid)
    }

    /// Functions and procedures that users made, by OID.
    pub fn routines(&self) -> impl Iterator<Item = &Arc<Routine>> {
        self.routines.values()
    }

    /// The overloads of a name among them, in all schemas, by OID.
    pub fn routines_named(&self, name: &str) -> impl Iterator<Item = &Arc<Routine>> {
        self.routine_names.get(name).into_iter().flatten().filter_map(|oid| self.routines.get(oid))
    }

    /// Operators of that symbol that extensions bring which are there.
    pub fn extension_operators(&self, symbol: &str) -> impl Iterator<Item = &'static ExtensionOperator> {
        extension_facts::operators()
            .iter()
            .filter(move |of| of.row.name == symbol && self.types.contains_key(&of.owner))
    }

    /// The function of an extension's type by name and arguments: it is in the type's schema.
    pub fn extension_function(&self, owner: Oid, name: &str, args: &[Oid]) -> Option<Oid> {
        let schema = self.types.get(&owner)?.schema;
        let mut found = self.routines_named(name).filter(|routine| routine.row.schema == schema);
        found.find(|routine| routine.row.arg_types == args).map(|routine| routine.row.oid)
    }

    pub fn builtins(&self) -> &Arc<Builtins> {
        &self.builtins
    }
}

impl TypeLookup for Catalog {
    fn structure(&self, ty: Oid) -> Option<Structure> {
        if let Some(user_type) = self.user_type_or_array(ty) {
            return Some(match &user_type.kind {
                _ if ty == user_type.array_type => Structure::Array(user_type.oid),
                UserTypeKind::Range(range) | UserTypeKind::Multirange(range) => Structure::Range(range.structure()?),
                UserTypeKind::Enum(_) => Structure::Enum(user_type.clone()),
                UserTypeKind::Domain(domain) => Structure::Domain(domain.base),
                UserTypeKind::Base => return None,
            });
        }
        let relation = self.relation_of_type(ty)?;
        if ty == relation.row_array_type {
            return Some(Structure::Array(relation.row_type));
        }
        let fields = relation.live_columns().map(|column| (column.name.clone(), column.ty));
        Some(Structure::Composite(fields.collect()))
    }

    fn array_over(&self, element: Oid) -> Option<Oid> {
        self.type_entry(element).map(|entry| entry.array).filter(|&array| array != 0)
    }

    fn is_uncommitted_label(&self, label: Oid) -> bool {
        self.uncommitted_labels.contains(&label)
    }
}

type Edges = OrdMap<(ObjectAddress, ObjectAddress), DependencyKind>;

/// The edges that start at an object, or at any part of it when `sub` is 0.
fn range_of(
    edges: &Edges,
    from: ObjectAddress,
) -> impl Iterator<Item = (ObjectAddress, ObjectAddress, DependencyKind)> + '_ {
    const LEAST: ObjectAddress = ObjectAddress { class: 0, object: 0, sub: i32::MIN };
    const MOST: ObjectAddress = ObjectAddress { class: Oid::MAX, object: Oid::MAX, sub: i32::MAX };
    let (low, high) = if from.sub == 0 { (i32::MIN, i32::MAX) } else { (from.sub, from.sub) };
    let start = (ObjectAddress { sub: low, ..from }, LEAST);
    let end = (ObjectAddress { sub: high, ..from }, MOST);
    edges.range(start..=end).map(|((from, to), kind)| (*from, *to, *kind))
}

/// Changes, for the transaction and the loader.
impl Catalog {
    pub(crate) fn set_version(&mut self, version: u64) {
        self.version = version;
    }

    /// Another database's image with the same shared objects and nothing else.
    pub(crate) fn for_database(&self, database: Oid) -> Self {
        let shared = Self::empty(database, self.builtins.clone());
        let of_shared = self.privileges.iter().filter(|((class, _), _)| *class == fixed_oid::PG_DATABASE);
        let privileges = of_shared.map(|(key, privileges)| (*key, privileges.clone())).collect();
        Self {
            privileges,
            databases: self.databases.clone(),
            roles: self.roles.clone(),
            version: self.version,
            ..shared
        }
    }

    pub(crate) fn put(&mut self, object: &Object) {
        self.shown = Shown::default();
        match object {
            Object::Database(database) => {
                self.databases.insert(database.oid, database.clone());
            }
            Object::Role(role) => {
                self.roles.insert(role.oid, role.clone());
            }
            Object::Schema(schema) => {
                self.schemas.insert(schema.oid, schema.clone());
            }
            Object::Relation(relation) => self.put_relation(relation.clone()),
            Object::Type(ty) => self.put_type(ty.clone()),
            Object::Routine(routine) => self.put_routine(routine.clone()),
            Object::Descriptor(descriptor) => self.put_descriptor(descriptor.clone()),
            Object::Privileges(privileges) => {
                self.privileges.insert((privileges.class, privileges.object), privileges.clone());
            }
            Object::DefaultPrivileges(default) => {
                self.default_privileges.insert(default.oid, default.clone());
            }
        }
    }

    /// Removes the object with its comments and with the dependencies from it and to it.
    pub(crate) fn remove(&mut self, class: Oid, oid: Oid) {
        self.shown = Shown::default();
        match class {
            fixed_oid::PG_DATABASE => drop(self.databases.remove(&oid)),
            fixed_oid::PG_AUTHID => drop(self.roles.remove(&oid)),
            fixed_oid::PG_NAMESPACE => {
                self.schemas.remove(&oid);
                self.relation_names.remove(&oid);
                self.type_names.remove(&oid);
            }
            fixed_oid::PG_CLASS => self.remove_relation(oid),
            fixed_oid::PG_TYPE => self.remove_type(oid),
            fixed_oid::PG_PROC => self.remove_routine(oid),
            fixed_oid::PG_COLLATION
            | fixed_oid::PG_EXTENSION
            | fixed_oid::PG_STATISTIC_EXT
            | fixed_oid::PG_TS_CONFIG
            | fixed_oid::PG_TS_DICT => self.remove_descriptor(oid),
            fixed_oid::PG_DEFAULT_ACL => drop(self.default_privileges.remove(&oid)),
            class if class & PRIVILEGES_OF != 0 => drop(self.privileges.remove(&(class & !PRIVILEGES_OF, oid))),
            _ => {}
        }
        let address = ObjectAddress { class, object: oid, sub: 0 };
        let whole = ObjectAddress { sub: i32::MIN, ..address }..=ObjectAddress { sub: i32::MAX, ..address };
        let comments: Vec<_> = self.comments.range(whole).map(|(address, _)| *address).collect();
        comments.iter().for_each(|address| drop(self.comments.remove(address)));
        for edge in self.dependencies_of(address).into_iter().chain(self.dependents_of(address)) {
            self.remove_dependency(edge.dependent, edge.referenced);
        }
    }

    fn put_type(&mut self, ty: Arc<UserType>) {
        self.remove_type(ty.oid);
        self.type_names.entry(ty.schema).or_default().insert(ty.name.clone(), ty.oid);
        self.type_parts.insert((fixed_oid::PG_TYPE, ty.array_type), ty.oid);
        for constraint in ty.constraints() {
            self.type_parts.insert((fixed_oid::PG_CONSTRAINT, constraint.oid), ty.oid);
        }
        for edge in ty.structural_dependencies() {
            self.put_dependency(edge);
        }
        self.types.insert(ty.oid, ty);
    }

    fn remove_type(&mut self, oid: Oid) {
        let Some(ty) = self.types.remove(&oid) else { return };
        if let Some(names) = self.type_names.get_mut(&ty.schema)
            && names.get(&ty.name) == Some(&oid)
        {
            names.remove(&ty.name);
        }
        self.type_parts.remove(&(fixed_oid::PG_TYPE, ty.array_type));
        for constraint in ty.constraints() {
            self.type_parts.remove(&(fixed_oid::PG_CONSTRAINT, constraint.oid));
        }
        for edge in ty.structural_dependencies() {
            self.remove_dependency(edge.dependent, edge.referenced);
        }
    }

    /// Notes the labels of an enum that an older image of it does not have.
    pub(crate) fn note_uncommitted_labels(&mut self, committed: &Self, ty: Oid) {
        let labels = |catalog: &Self| -> Vec<Oid> {
            let labels = catalog.user_type(ty).and_then(|ty| ty.as_enum());
            labels.into_iter().flat_map(|labels| &labels.labels).map(|label| label.oid).collect()
        };
        if committed.user_type(ty).is_none() {
            return;
        }
        let old = labels(committed);
        self.uncommitted_labels.extend(labels(self).into_iter().filter(|label| !old.contains(label)));
    }

    fn put_relation(&mut self, relation: Arc<Relation>) {
        self.remove_relation(relation.oid);
        let oid = relation.oid;
        self.relation_names.entry(relation.schema).or_default().insert(relation.name.clone(), oid);
        for row_type in [relation.row_type, relation.row_array_type] {
            if row_type != 0 {
                self.row_types.insert(row_type, oid);
            }
        }
        if let RelationKind::Index(index) = &relation.kind {
            self.indexes.entry(index.table).or_default().insert(oid);
        }
        if let Some(window) = relation.window() {
            self.windows.entry(window.table).or_default().insert(window.from, oid);
        }
        for parent in relation.inherited_from() {
            self.children.entry(parent).or_default().insert(oid);
        }
        for edge in relation.structural_dependencies() {
            self.put_dependency(edge);
        }
        for part in relation.parts() {
            self.parts.insert((part.class, part.object), oid);
        }
        for constraint in relation.constraints() {
            if let ConstraintKind::ForeignKey { referenced, .. } = constraint.kind {
                self.referencing.entry(referenced).or_default().insert((oid, constraint.oid));
            }
        }
        self.relations.insert(oid, relation);
    }

    fn put_routine(&mut self, routine: Arc<Routine>) {
        let oid = routine.row.oid;
        self.remove_routine(oid);
        for edge in routine.structural_dependencies() {
            self.put_dependency(edge);
        }
        self.routine_names.entry(routine.row.name.to_string()).or_default().insert(oid);
        self.routines.insert(oid, routine);
    }

    fn put_descriptor(&mut self, descriptor: Arc<Descriptor>) {
        self.remove_descriptor(descriptor.oid);
        for edge in descriptor.structural_dependencies() {
            self.put_dependency(edge);
        }
        self.descriptors.insert(descriptor.oid, descriptor);
    }

    fn remove_descriptor(&mut self, oid: Oid) {
        let Some(descriptor) = self.descriptors.remove(&oid) else { return };
        for edge in descriptor.structural_dependencies() {
            self.remove_dependency(edge.dependent, edge.referenced);
        }
    }

    fn remove_routine(&mut self, oid: Oid) {
        let Some(routine) = self.routines.remove(&oid) else { return };
        if let Some(overloads) = self.routine_names.get_mut(&*routine.row.name) {
            overloads.remove(&oid);
        }
        for edge in routine.structural_dependencies() {
            self.remove_dependency(edge.dependent, edge.referenced);
        }
    }

    fn remove_relation(&mut self, oid: Oid) {
        let Some(relation) = self.relations.remove(&oid) else { return };
        if let Some(names) = self.relation_names.get_mut(&relation.schema)
            && names.get(&relation.name) == Some(&oid)
        {
            names.remove(&relation.name);
        }
        self.row_types.remove(&relation.row_type);
        self.row_types.remove(&relation.row_array_type);
        if let RelationKind::Index(index) = &relation.kind
            && let Some(indexes) = self.indexes.get_mut(&index.table)
        {
            indexes.remove(&oid);
        }
        if let Some(window) = relation.window()
            && let Some(windows) = self.windows.get_mut(&window.table)
            && windows.get(&window.from) == Some(&oid)
        {
            windows.remove(&window.from);
        }
        for parent in relation.inherited_from() {
            if let Some(children) = self.children.get_mut(&parent) {
                children.remove(&oid);
            }
        }
        for edge in relation.structural_dependencies() {
            self.remove_dependency(edge.dependent, edge.referenced);
        }
        for part in relation.parts() {
            self.parts.remove(&(part.class, part.object));
        }
        for constraint in relation.constraints() {
            if let ConstraintKind::ForeignKey { referenced, .. } = constraint.kind
                && let Some(keys) = self.referencing.get_mut(&referenced)
            {
                keys.remove(&(oid, constraint.oid));
            }
        }
    }

    pub(crate) fn set_comment(&mut self, address: ObjectAddress, text: Option<&str>) {
        self.shown = Shown::default();
        match text {
            Some(text) => drop(self.comments.insert(address, text.into())),
            None => drop(self.comments.remove(&address)),
        }
    }

    pub(crate) fn put_dependency(&mut self, edge: Dependency) {
        self.shown = Shown::default();
        self.dependencies.insert((edge.dependent, edge.referenced), edge.kind);
        self.dependents.insert((edge.referenced, edge.dependent), edge.kind);
    }

    pub(crate) fn remove_dependency(&mut self, dependent: ObjectAddress, referenced: ObjectAddress) {
        self.shown = Shown::default();
        self.dependencies.remove(&(dependent, referenced));
        self.dependents.remove(&(referenced, dependent));
    }
}
