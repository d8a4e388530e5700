//! stub
use crate::{address::*,config::*,message::{header::Header,crlf::CrlfBytes}};
#[derive(Debug)] pub struct Policy; #[derive(Clone,Debug)] pub struct SealOptions{pub expiry_days:Option<u32>,pub password:Option<PasswordMode>,pub subject:Option<SubjectMode>}
pub enum Verdict{Pass,Seal(SealOptions),Reject{text:String}} pub struct Decision(Verdict); impl Decision{pub fn verdict(&self)->&Verdict{&self.0}}
pub struct Facts<'a>{pub header:&'a Header<'a>,pub message:&'a CrlfBytes,pub sender:&'a ReversePath,pub recipient:&'a Address,pub internal:bool,pub sealed_thread:bool}
#[derive(Debug,thiserror::Error)] #[error("x")] pub struct PolicyError;
impl Policy{pub fn load(_:&[std::path::PathBuf])->Result<Self,PolicyError>{Ok(Self)} pub fn shipped()->Self{Self} pub fn needs_thread(&self)->bool{false}
pub fn decide(&self,f:&Facts)->Decision{ Decision(if !f.internal && f.header.subject().starts_with("[vert"){Verdict::Seal(SealOptions{expiry_days:None,password:None,subject:None})}else{Verdict::Pass})}
pub fn clean_subject(&self,s:&str)->String{s.to_owned()} pub fn rule_names(&self)->Vec<String>{vec![]} }
