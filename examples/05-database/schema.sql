-- The application's own tables. Runs on PostgreSQL, MySQL and MariaDB.
create table users (
  id char(36) primary key,
  email varchar(255) not null unique,
  name varchar(200),
  phone varchar(32),
  preferences json,
  created_at timestamp not null default current_timestamp
);
create table organization_members (
  organization_id char(36) not null,
  user_id char(36) not null,
  role varchar(20) not null,
  primary key (organization_id, user_id),
  foreign key (user_id) references users (id)
);
create table audit_log (
  id bigint primary key,
  actor_id char(36),
  action varchar(100) not null,
  ip_address varchar(64),
  created_at timestamp not null default current_timestamp,
  foreign key (actor_id) references users (id)
);
create table gdpr_requests (
  id bigint primary key,
  user_id char(36) not null,
  request_type varchar(20) not null,
  status varchar(20) not null,
  created_at timestamp not null default current_timestamp,
  foreign key (user_id) references users (id)
);
create table invoices (
  id bigint primary key,
  user_id char(36) not null,
  address varchar(300),
  issued_at timestamp not null,
  foreign key (user_id) references users (id)
);
create index organization_members_user on organization_members (user_id);
create index audit_log_actor on audit_log (actor_id);
create index gdpr_requests_user on gdpr_requests (user_id);
create index invoices_user on invoices (user_id);
