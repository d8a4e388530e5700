//! stub
pub mod crlf;
pub mod header { use crate::address::Address; use mail_parser::*;
#[derive(Clone,Debug)] pub struct Header<'a>(Message<'a>, &'a [u8]);
pub struct Mailbox { pub name: Option<String>, pub address: Option<Address> }
pub struct Field<'a>(&'a str); impl Field<'_> { pub fn value(&self)->String{self.0.trim().to_owned()} }
impl<'a> Header<'a> { pub fn parse(b:&'a [u8])->Self{ Self(MessageParser::new().parse_headers(b).unwrap_or_default(), b)} 
pub fn first<'s>(&'s self,n:&str)->Option<Field<'s>>{ self.0.header_raw(n.to_owned()).map(Field)}
pub fn subject(&self)->String{self.0.subject().unwrap_or("").into()}
pub fn raw(&self)->&'a [u8]{self.1}
pub fn from(&self)->Mailbox{ let a=self.0.from().and_then(|a|a.first().cloned()); Mailbox{name:a.as_ref().and_then(|a|a.name().map(Into::into)),address:a.and_then(|a|a.address().and_then(|a|Address::parse(a).ok()))}}
pub fn message_id(&self)->Option<String>{self.0.message_id().map(|m|format!("<{m}>"))}
pub fn thread_ids(&self)->Vec<String>{self.message_id().into_iter().collect()}
pub fn answers(&self)->Vec<String>{vec![]}
pub fn is_automatic(&self)->bool{self.first("Auto-Submitted").is_some()}
pub fn received_count(&self)->usize{self.0.headers().iter().filter(|h|h.name()=="Received").count()}
pub fn is_own_notice(&self)->bool{self.first("X-Zegel-Notice").is_some()}
}}
pub mod mime { use super::crlf::CrlfBytes; use std::borrow::Cow; use mail_parser::*;
#[derive(Debug)] pub struct MimePart<'a>{pub name:String,pub media_type:String,pub content_id:Option<String>,pub inline:bool,pub data:Cow<'a,[u8]>}
#[derive(Debug,Default)] pub struct Parts<'a>{pub text:Option<MimePart<'a>>,pub html:Option<MimePart<'a>>,pub files:Vec<MimePart<'a>>,pub damaged:bool}
pub fn parts(m:&CrlfBytes)->Parts<'_>{ let Some(p)=MessageParser::new().parse(m.as_slice()) else {return Parts::default()};
let mk=|n:&str,t:&str,d:Vec<u8>|MimePart{name:n.into(),media_type:t.into(),content_id:None,inline:false,data:Cow::Owned(d)};
Parts{text:p.body_text(0).map(|t|mk("message.txt","text/plain",t.into_owned().into_bytes())),html:p.body_html(0).map(|t|mk("message.html","text/html",t.into_owned().into_bytes())),
files:p.attachments().map(|a|mk(a.attachment_name().unwrap_or("x"),"application/octet-stream",a.contents().to_vec())).collect(),damaged:false}}
}
pub mod rewrite { use super::{crlf::CrlfBytes,header::Header}; use crate::{envelope::*,clock::*,id::*};
pub fn received(h:&str,p:&Peer,_e:&Envelope,id:&QueueId,now:Timestamp)->CrlfBytes{CrlfBytes::normalised(format!("Received: from {} ([{}]) by {h} with ESMTP id {id}; {}\r\n",p.helo,p.address.ip(),rfc5322(now)).as_bytes())}
pub fn copy_fields(h:&Header,names:&[&str])->Vec<u8>{ let mut o=vec![]; for n in names { if let Some(f)=h.first(n){o.extend(format!("{n}: {}\r\n",f.value()).bytes())}} o}
}
